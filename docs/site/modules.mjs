// Packs wheels into one archive for the browser: node modules.mjs PYODIDE WHEELS PLAYGROUND.PY ARCHIVE
// What a first answer imports is compiled by the same Python as in the browser, which then has not to do it: that takes
// half of the time until the answer is there.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [pyodide, wheels, program, archive] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(join(resolve(pyodide), "pyodide.mjs")).href);
const python = await loadPyodide({ indexURL: `${resolve(pyodide)}/` });
for (const name of readdirSync(wheels).filter((each) => each.endsWith(".whl"))) {
  python.unpackArchive(new Uint8Array(readFileSync(join(wheels, name))), "wheel", { extractDir: "/modules" });
}
python.runPython("import sys; sys.path.insert(0, '/modules')");
python.runPython(readFileSync(program, "utf8"));
python.runPython(`
import pathlib, py_compile, zipfile

asked("gpt2", "{}"), paged("gpt2", "{}")
root = pathlib.Path("/modules")
used = {pathlib.Path(module.__file__) for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
with zipfile.ZipFile("/modules.zip", "w", zipfile.ZIP_DEFLATED) as made:
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            if path in used and path.suffix == ".py":
                path = pathlib.Path(py_compile.compile(str(path), str(path) + "c", doraise=True))
            made.write(path, path.relative_to(root))
`);
writeFileSync(archive, python.FS.readFile("/modules.zip"));
