"""A Hub on this machine: the routes that huggingface_hub, datasets and evaluate use, with its contents in a folder.

Large files come by Git LFS's basic transfer; Xet is not offered, so clients set `HF_HUB_DISABLE_XET`. Commits are
atomic and need every large file to have arrived. All requests are kept in `requests`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = 10_000_000
PREFIX = {"model": "", "dataset": "datasets/", "space": "spaces/"}
API = r"/api/(?P<type>model|dataset|space)s/(?P<id>[\w.-]+/[\w.-]+)"
WEB = r"/(?:(?P<type>dataset|space)s/)?(?P<id>[\w.-]+/[\w.-]+)"


class Refused(Exception):
    """An answer other than 200: status, the Hub's code for it, and a sentence."""


@dataclass(frozen=True)
class File:
    """One file of a commit; its bytes lie under `sha256`."""

    sha256: str
    size: int
    oid: str  # of git, or of LFS
    lfs: bool


@dataclass
class Repo:
    """Commits by their id, the last of which is `main`, and tags."""

    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    def resolve(self, revision: str) -> str:
        found = {"main": self.head, **self.tags}.get(unquote(revision), revision)
        if found not in self.commits:
            raise Refused(404, "RevisionNotFound", f"there is no revision {revision}")
        return found

    def add_commit(self, files: dict[str, File]) -> str:
        sha = hashlib.sha1(f"{len(self.commits)} {sorted(files.items())}".encode()).hexdigest()
        self.commits[sha] = files
        return sha


class Hub(ThreadingHTTPServer):
    """Serves until it is left as a context.

    Args:
        folder: where contents are stored.
    """

    daemon_threads = True

    def __init__(self, folder: Path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.repos, self.requests = folder, {}, []
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lock = threading.Lock()
        self.uploads_before_stall: int | None = None
        self.stalled = threading.Event()

    def __enter__(self) -> Hub:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()

    def repo(self, id: str, type: str = "model") -> Repo:
        if (type, id) not in self.repos:
            raise Refused(404, "RepoNotFound", f"there is no {type} {id}")
        return self.repos[type, id]

    def store(self, content: bytes, lfs: bool) -> File:
        sha256 = hashlib.sha256(content).hexdigest()
        (self.folder / sha256).write_bytes(content)
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return File(sha256, len(content), sha256 if lfs else git, lfs)

    def uploads(self) -> list[str]:
        """Ids of the large files that were sent, in order."""
        return [path.removeprefix("/lfs/") for method, path in self.requests if method == "PUT"]


class Handler(BaseHTTPRequestHandler):
    """One request: the first of `ROUTES` that fits answers it."""

    protocol_version = "HTTP/1.1"
    server: Hub

    def handle_request(self) -> None:
        address = urlsplit(self.path)
        path, self.query = unquote(address.path), parse_qs(address.query)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, path))
        try:
            for method, pattern, answer in ROUTES:
                if self.command == method and (match := re.fullmatch(pattern, path)):
                    return answer(self, body, **match.groupdict())
            raise Refused(404, "EntryNotFound", f"this Hub has no {self.command} {path}")
        except Refused as refused:
            status, code, message = refused.args
            self.answer(
                json.dumps({"error": message}).encode(), status, {"X-Error-Code": code, "X-Error-Message": message}
            )

    do_GET = do_HEAD = do_POST = do_PUT = handle_request

    def log_message(self, *_: Any) -> None:
        """Silence."""

    def answer(self, content: bytes = b"", status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def answer_json(self, value: Any) -> None:
        self.answer(json.dumps(value).encode(), headers={"Content-Type": "application/json"})

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        type, id = asked.get("type", "model"), f"{asked['organization']}/{asked['name']}"
        known = (type, id) in self.server.repos
        if not known:
            self.server.repos[type, id] = repo = Repo()
            repo.add_commit({".gitattributes": self.server.store(b"*.safetensors filter=lfs\n", lfs=False)})
        address = {"url": f"{self.server.url}/{PREFIX[type]}{id}"}
        self.answer(json.dumps(address).encode(), 409 if known else 200)

    def check_card(self, body: bytes) -> None:
        self.answer_json({"errors": [], "warnings": []})

    def preupload(self, body: bytes, type: str, id: str, revision: str) -> None:
        repo = self.server.repo(id, type)
        known = repo.commits[repo.resolve(revision)]
        self.answer_json(
            {
                "files": [
                    {
                        "path": asked["path"],
                        "uploadMode": "lfs" if _is_large(asked) else "regular",
                        "shouldIgnore": False,
                        "oid": known[asked["path"]].oid if asked["path"] in known else None,
                    }
                    for asked in json.loads(body)["files"]
                ]
            }
        )

    def batch(self, body: bytes, type: str | None, id: str) -> None:
        self.server.repo(id, type or "model")
        asked = json.loads(body)["objects"]
        for one in asked:
            if not (self.server.folder / one["oid"]).exists():
                one["actions"] = {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}
        self.answer_json({"transfer": "basic", "objects": asked})

    def upload(self, body: bytes, oid: str) -> None:
        with self.server.lock:
            left = self.server.uploads_before_stall
            if left is not None:
                self.server.uploads_before_stall = left - 1
        if left == 0:
            self.server.stalled.set()
            threading.Event().wait()
        if hashlib.sha256(body).hexdigest() != oid:
            raise Refused(422, "BadContent", "the content is not what its id says")
        self.server.store(body, lfs=True)
        self.answer()

    def commit(self, body: bytes, type: str, id: str, revision: str) -> None:
        repo = self.server.repo(id, type)
        files = dict(repo.commits[repo.resolve(revision)])
        for line in body.splitlines():
            key, value = json.loads(line).values()
            if key == "file":
                files[value["path"]] = self.server.store(base64.b64decode(value["content"]), lfs=False)
            elif key == "lfsFile":
                if not (self.server.folder / value["oid"]).exists():
                    raise Refused(400, "LfsMissing", f"{value['path']} was not uploaded")
                files[value["path"]] = File(value["oid"], value["size"], value["oid"], True)
            elif key == "deletedFile":
                del files[value["path"]]
        sha = repo.add_commit(files)
        address = f"{self.server.url}/{PREFIX[type]}{id}/commit/{sha}"
        self.answer_json({"success": True, "commitOid": sha, "commitUrl": address, "hookOutput": ""})

    def tag(self, body: bytes, type: str, id: str, revision: str) -> None:
        repo, name = self.server.repo(id, type), json.loads(body)["tag"]
        if name in repo.tags:
            raise Refused(409, "TagExists", f"there is a tag {name}")
        repo.tags[name] = repo.resolve(revision)
        self.answer_json({})

    def refs(self, body: bytes, type: str, id: str) -> None:
        repo = self.server.repo(id, type)
        branches = [{"name": "main", "ref": "refs/heads/main", "targetCommit": repo.head}]
        tags = [{"name": name, "ref": f"refs/tags/{name}", "targetCommit": sha} for name, sha in repo.tags.items()]
        self.answer_json({"branches": branches, "tags": tags, "converts": []})

    def info(self, body: bytes, type: str, id: str, revision: str | None) -> None:
        repo = self.server.repo(id, type)
        sha = repo.resolve(revision or "main")
        siblings = [{"rfilename": name} for name in sorted(repo.commits[sha])]
        self.answer_json(
            {
                "_id": "0",
                "id": id,
                "sha": sha,
                "siblings": siblings,
                "private": False,
                "tags": [],
                "downloads": 0,
                "likes": 0,
            }
        )

    def tree(self, body: bytes, type: str, id: str, revision: str, folder: str | None) -> None:
        repo = self.server.repo(id, type)
        files = repo.commits[repo.resolve(revision)]
        below = f"{folder}/" if folder else ""
        inside = {name: file for name, file in files.items() if name.startswith(below)}
        if folder and not inside:
            raise Refused(404, "EntryNotFound", f"there is no folder {folder}")
        folders = {f"{parent}" for name in inside for parent in PurePosixPath(name).parents if f"{parent}" != "."}
        folders = {name for name in folders if name.startswith(below)}
        entries = [_entry(name, inside.get(name)) for name in sorted({*inside, *folders})]
        if self.query.get("recursive") != ["true"]:
            entries = [entry for entry in entries if "/" not in entry["path"].removeprefix(below)]
        self.answer_json(entries)

    def paths_info(self, body: bytes, type: str, id: str, revision: str) -> None:
        repo = self.server.repo(id, type)
        files = repo.commits[repo.resolve(revision)]
        try:
            asked = json.loads(body)["paths"]
        except ValueError:  # a form
            asked = parse_qs(body.decode())["paths"]
        held = [name for name in asked if name in files or any(other.startswith(f"{name}/") for other in files)]
        self.answer_json([_entry(name, files.get(name)) for name in held])

    def resolve(self, body: bytes, type: str | None, id: str, revision: str, name: str) -> None:
        repo = self.server.repo(id, type or "model")
        sha = repo.resolve(revision)
        if name not in repo.commits[sha]:
            raise Refused(404, "EntryNotFound", f"there is no {name}")
        file = repo.commits[sha][name]
        headers = {"X-Repo-Commit": sha, "ETag": f'"{file.oid}"', "Accept-Ranges": "bytes"}
        content = (self.server.folder / file.sha256).read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not asked:
            return self.answer(content, headers=headers)
        first, last = int(asked[1]), min(int(asked[2] or file.size - 1), file.size - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{file.size}"
        return self.answer(content[first : last + 1], 206, headers)


def _is_large(asked: dict[str, Any]) -> bool:
    """As the Hub's default `.gitattributes` would have it: what is large, or not text."""
    return asked["size"] > LARGE or b"\0" in base64.b64decode(asked["sample"])


def _entry(name: str, file: File | None) -> dict[str, Any]:
    if file is None:
        return {"type": "directory", "path": name, "oid": hashlib.sha1(name.encode()).hexdigest()}
    lfs = {"lfs": {"oid": file.oid, "size": file.size, "pointerSize": 134}} if file.lfs else {}
    return {"type": "file", "path": name, "size": file.size, "oid": file.oid, **lfs}


ROUTES = [
    ("POST", r"/api/repos/create", Handler.create),
    ("POST", r"/api/validate-yaml", Handler.check_card),
    ("POST", rf"{API}/preupload/(?P<revision>.+)", Handler.preupload),
    ("POST", rf"{WEB}\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", Handler.upload),
    ("POST", rf"{API}/commit/(?P<revision>.+)", Handler.commit),
    ("POST", rf"{API}/tag/(?P<revision>.+)", Handler.tag),
    ("GET", rf"{API}/refs", Handler.refs),
    ("GET", rf"{API}(?:/revision/(?P<revision>.+))?", Handler.info),
    ("GET", rf"{API}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?", Handler.tree),
    ("POST", rf"{API}/paths-info/(?P<revision>.+)", Handler.paths_info),
    *((method, rf"{WEB}/resolve/(?P<revision>[^/]+)/(?P<name>.+)", Handler.resolve) for method in ("GET", "HEAD")),
]
