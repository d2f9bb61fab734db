"""Where the Space starts: with the published checkpoint, the page as it is anywhere else."""

import os
import runpy

os.environ["UNIWHISPER_MODEL"] = "USER/uniwhisper-base"
runpy.run_path("app.py", run_name="__main__")
