// The playground: graphacct in the browser, by Pyodide. Everything is fetched from this site.
"use strict";

(async () => {
  const place = document.getElementById("playground");
  if (!place) return;
  const script = document.querySelector('script[src*="playground.js"]').src;
  const here = new URL("playground/", script);
  place.innerHTML = `
    <form>
      <p><input name="model" value="gpt2-xl" spellcheck="false" aria-label="Model">
        <label>batch <input name="batch" size="5" placeholder="1"></label>
        <label>seq_len <input name="seq_len" size="6" placeholder="own"></label>
        <label>phase <select name="phase"><option>forward<option>train<option>prefill<option>decode</select></label>
        <button disabled>Account</button></p>
      <p class="drop" tabindex="0">Drop a config.json here, or <input type="file" accept=".json,application/json"></p>
    </form>
    <p role="status">Loading Python …</p>
    <div class="table"></div>
    <iframe title="The page of the model" hidden></iframe>`;
  const [form, status, table, frame] = ["form", "[role=status]", ".table", "iframe"].map((s) => place.querySelector(s));
  const say = (text, failed) => { status.textContent = text; status.classList.toggle("failed", Boolean(failed)); };
  let config = "";

  let python;
  try {
    const manifest = await (await fetch(new URL("manifest.json", here))).json();
    if (manifest.missing) return say(manifest.missing, true);
    const fetched = fetch(new URL(manifest.archive, here)).then((answer) => answer.arrayBuffer()); // while Python starts
    const program = fetch(new URL("playground.py", script)).then((answer) => answer.text());
    const { loadPyodide } = await import(new URL("pyodide.mjs", here));
    python = await loadPyodide({ indexURL: here.href });
    say("Loading graphacct …");
    python.unpackArchive(await fetched, "zip", { extractDir: python.runPython("import site; site.getsitepackages()[0]") });
    await python.runPythonAsync(await program);
  } catch (error) {
    const hint = location.protocol === "file:" ? "a browser runs it from a server only: python -m http.server -d build/docs" : error;
    return say(`The playground did not start: ${hint}`, true);
  }
  const [asked, paged] = ["asked", "paged"].map((name) => python.globals.get(name));
  const shown = () => new Promise((done) => setTimeout(done, 20)); // so that what was said is seen
  let latest = 0;

  async function account() {
    const mine = ++latest;
    say("Accounting …");
    await shown();
    const given = JSON.stringify(Object.fromEntries(["batch", "seq_len", "phase"].map((name) => [name, form.elements[name].value.trim()])));
    const model = config || form.elements.model.value;
    const found = JSON.parse(asked(model, given));
    if (found.error) return say(found.error, true);
    table.innerHTML = found.table; // graphacct escapes every name in it
    frame.hidden = true;
    say(`${found.title}: its page is being written …`);
    await shown();
    if (mine !== latest) return; // another model was asked for meanwhile
    const { page, error } = JSON.parse(paged(model, given));
    if (error) return say(error, true);
    say(found.title);
    frame.srcdoc = page;
    frame.hidden = false;
  }

  async function take(file) {
    config = await file.text();
    form.elements.model.value = file.name;
    account();
  }

  form.elements.model.addEventListener("input", () => { config = ""; });
  form.addEventListener("submit", (event) => { event.preventDefault(); account(); });
  form.querySelector("[type=file]").addEventListener("change", (event) => take(event.target.files[0]));
  place.addEventListener("dragover", (event) => event.preventDefault());
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
  form.querySelector("button").disabled = false;
  account();
})();
