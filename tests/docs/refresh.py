"""Write what a page's blocks print now into the page: `python tests/docs/refresh.py docs/tutorial.md`.

For tables whose layout changed; read the difference before committing it. Outputs shortened with `...` that still
match are left as they are; those that do not match are named, to be mended by hand.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from pages import FLAGS, commands, parse, shell, trimmed

BLOCK = re.compile(r"^```(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHECKER = doctest.OutputChecker()


def refresh(page: Path) -> str:
    """The page with what its blocks print now."""
    document = parse(page)
    scripts = [example for example in document.examples() if not isinstance(example.parsed, doctest.Example)]
    sources = {str(example.parsed): example for example in scripts}

    def renewed(match: re.Match[str]) -> str:
        language, body = match.groups()
        if language == "console":
            body = "".join(f"$ {command}\n{_kept(want, shell(command)[1])}" for command, want in commands(body))
        elif language == "python" and body.startswith(">>>"):
            body = _doctests(body, document.namespace)
        else:
            sources[body].evaluate()
        return f"```{language}\n{body}```"

    return BLOCK.sub(renewed, document.text)


def _doctests(body: str, namespace: dict[str, Any]) -> str:
    parts = []
    for part in doctest.DocTestParser().parse(body):
        if isinstance(part, str):
            parts.append(part)
            continue
        lines = part.source.splitlines()
        parts.append(
            "".join(f"{'...' if number else '>>>'} {line}".rstrip() + "\n" for number, line in enumerate(lines))
        )
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output):
                exec(compile(part.source, "<page>", "single"), namespace)
            got = output.getvalue()
        except Exception as error:
            name = type(error).__qualname__
            module = type(error).__module__
            full = name if module == "builtins" else f"{module}.{name}"
            got = f"Traceback (most recent call last):\n    ...\n{full}: {error}\n"
            parts.append(part.want if part.exc_msg == f"{full}: {error}\n" else got)
            continue
        parts.append(_kept(part.want, trimmed(got) if got else ""))
    return "".join(parts)


def _kept(want: str, got: str) -> str:
    got = "" if got == "\n" else got
    if want.strip() and CHECKER.check_output(want, got, FLAGS):
        return want
    if "..." in want:
        print(f"shortened, and no longer matches:\n{want}--- it printed\n{got}", file=sys.stderr)
        return want
    return got


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name).resolve()
        home = os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            sys.path.insert(0, folder)
            new = refresh(path)
            os.chdir(home)
        path.write_text(new, encoding="utf-8")
