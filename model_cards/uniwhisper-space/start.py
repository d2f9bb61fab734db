"""Where the Space starts: with the published checkpoint, the page as it is anywhere else."""

import os
import runpy

from huggingface_hub import snapshot_download

os.environ["UNIWHISPER_MODEL"] = snapshot_download("USER/uniwhisper-base")
runpy.run_path("app.py", run_name="__main__")
