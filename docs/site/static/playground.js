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
    const { loadPyodide } = await import(new URL("pyodide.mjs", here));
    python = await loadPyodide({ indexURL: here.href });
    for (const wheel of manifest.wheels) {
      say(`Loading ${wheel.split("-")[0]} …`);
      python.unpackArchive(await (await fetch(new URL(wheel, here))).arrayBuffer(), "wheel");
    }
    await python.runPythonAsync(await (await fetch(new URL("playground.py", script))).text());
  } catch (error) {
    const hint = location.protocol === "file:" ? "a browser runs it from a server only: python -m http.server -d build/docs" : error;
    return say(`The playground did not start: ${hint}`, true);
  }
  const asked = python.globals.get("asked");

  async function account() {
    say("Accounting …");
    await new Promise((done) => setTimeout(done, 20)); // so that the words are seen
    const given = Object.fromEntries(["batch", "seq_len", "phase"].map((name) => [name, form.elements[name].value.trim()]));
    const found = JSON.parse(asked(config || form.elements.model.value, JSON.stringify(given)));
    if (found.error) return say(found.error, true);
    say(found.title);
    table.innerHTML = found.table; // graphacct escapes every name in it
    frame.srcdoc = found.page;
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
