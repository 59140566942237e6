"""Puts the playground into the built site: Pyodide from npm, and the modules of graphacct and of what it imports.

Where npm or a registry is not reached, the site is built all the same, and its page says what is missing.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

PYODIDE = "pyodide@^314"
FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
IMPORTED = ("attrs", "pluggy")
"""What the playground imports of all that graphacct requires."""
ARCHIVE = "modules.zip"
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def add(folder: Path) -> None:
    """Writes the playground's files and its manifest into a folder of the site."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        fetch(folder)
        manifest = {"archive": ARCHIVE}
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        why = str(said).strip().splitlines()[-1]
        manifest = {"missing": f"This site was built without the playground: {why}"}
        print(f"the playground is left out: {why}", file=sys.stderr)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def fetch(folder: Path) -> None:
    """Fetches what is not there yet, and packs the modules anew. Raises OSError, or CalledProcessError, if that
    fails."""
    if not all((folder / name).exists() for name in FILES):
        run("npm", "pack", "--silent", "--pack-destination", str(folder), PYODIDE)
        packed = next(folder.glob("pyodide-*.tgz"))
        with tarfile.open(packed) as archive:
            for name in FILES:
                content = archive.extractfile(f"package/{name}")
                assert content is not None
                with content, (folder / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
        packed.unlink()
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    with tempfile.TemporaryDirectory() as wheels:
        run(*pip, "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", wheels, *IMPORTED)
        run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, str(ROOT))
        program = HERE / "static" / "playground.py"
        run("node", str(HERE / "modules.mjs"), str(folder), wheels, str(program), str(folder / ARCHIVE))


def run(*command: str) -> None:
    """Runs a command in silence."""
    subprocess.run(command, check=True, capture_output=True, text=True)


def built(app: Any, error: Exception | None) -> None:
    """What Sphinx calls when the site is written."""
    if error is None and app.builder.format == "html":
        add(Path(app.outdir) / "_static" / "playground")


def for_its_page(app: Any, pagename: str, template: str, context: Any, doctree: Any) -> None:
    """Adds the script to the playground's page alone."""
    if pagename == "playground":
        app.add_js_file("playground.js", loading_method="defer")


def setup(app: Any) -> dict[str, Any]:
    """What Sphinx calls first."""
    app.connect("html-page-context", for_its_page)
    app.connect("build-finished", built)
    return {"parallel_read_safe": True}
