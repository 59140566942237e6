"""The page by what is on it, in Chromium."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromium
import pytest
from chromium import Opened
from click.testing import CliRunner

import graphacct
from graphacct.cli import cli
from graphacct.render.units import human
from graphacct.sizes import parse_size

FEW = ("params", "flops", "read_bytes")
OPTIONS: dict[str, Any] = {
    "gpt2": {},
    "llama-3-8b": {},
    "bert-base-uncased": {"phase": "train", "quantities": ("params", "step_flops", "saved_bytes", "peak_bytes")},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium.browser() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages, written: what the option `-o NAME.html` writes."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, options in OPTIONS.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(graphacct.page(name, **options), encoding="utf-8")
    return found


def test_it_opens_without_a_fault(browser: Any, pages: dict[str, Path]) -> None:
    """No error, no warning, no request; the model, its totals and its block are there to be read."""
    for name, path in pages.items():
        page = Opened(browser, path)
        assert page.faults == []
        assert page.texts("h1") == [name]
        report = graphacct.account(name)
        assert human(report.total["params"], "parameter") in page.tab.locator("#totals").inner_text()
    page = Opened(browser, pages["llama-3-8b"])
    drawn = page.texts("#world text")
    assert {"layers.* ×32", "q_proj", "k_proj", "v_proj", "down_proj"} <= set(drawn)
    assert drawn.index("q_proj") < drawn.index("k_proj") < drawn.index("v_proj")


@pytest.mark.parametrize(
    ("model", "sizes", "keys"),
    [
        ("gpt2", {"batch": 8, "seq_len": 512}, {"n_layer": 36, "n_embd": 1536}),
        ("llama-3-8b", {"batch": 3, "seq_len": 100}, {"num_key_value_heads": 4}),
        ("bert-base-uncased", {"batch": 4, "seq_len": 256}, {"intermediate_size": 5000}),
    ],
)
def test_sizes_change_every_number(browser: Any, pages: dict[str, Path], model: str, sizes: Any, keys: Any) -> None:
    """Typed into the fields: each scope and node, in each quantity, is what a report of these sizes says."""
    page = Opened(browser, pages[model])
    page("document.getElementById('config').open = true")
    for name, size in {**sizes, **keys}.items():
        page.tab.get_by_label(name, exact=True).fill(str(size))
    assert page("state.unmet") == []
    report = graphacct.account(model, set=keys, **sizes, **OPTIONS[model])
    found = page("PARTS.map((part, number) => [part.path, (state.rows[number] ?? []).map(String)])")
    names = page("QUANTITIES.filter((each) => !each.ratio).map((each) => each.name)")
    rows = {row.path: row.values for row in report.by_scope} | {"": report.total}
    compared = 0
    for path, values in found:
        if path in rows and [each for each, _ in found].count(path) == 1:
            assert [int(each) for each in values[: len(names)]] == [rows[path][name] for name in names], path
            compared += 1
    assert compared > 15
    shown = page.tab.locator("#totals").inner_text()
    assert human(report.total["flops"], "FLOP") in shown
    assert page.faults == []


def test_a_size_without_a_formula_says_so(browser: Any, pages: dict[str, Path]) -> None:
    """A length beyond the positions is refused by the model: the page says which command tells why, and shows no
    number; the model's own sizes come back."""
    page = Opened(browser, pages["gpt2"])
    page.tab.get_by_label("seq_len", exact=True).fill("4096")
    notice = page.tab.locator("#notice")
    assert "No formula on this page is for these sizes" in notice.inner_text()
    assert "n_positions" in notice.inner_text()
    assert page.texts("#command") == ["graphacct report gpt2 --seq-len 4096"]
    assert set(page.texts("#totals b")) == {"–"}
    assert not [text for text in page.texts("#world text") if "FLOP" in text or "%" in text]
    page.tab.get_by_label("seq_len", exact=True).fill("none")
    assert page.tab.get_by_label("seq_len", exact=True).get_attribute("aria-invalid") == "true"
    page.tab.get_by_text("go back to the model's own sizes").click()
    assert notice.is_hidden()
    assert "293 GFLOP" in page.texts("#totals b")
    assert page.faults == []


def test_numbers_are_written_as_in_tables(browser: Any, pages: dict[str, Path]) -> None:
    """Three digits, rounded half to even, in the unit's prefixes; and sizes are read as the command line reads them."""
    page = Opened(browser, pages["gpt2"])
    chance = random.Random(5)
    numbers = [chance.randint(0, 10 ** chance.randint(1, 40)) for _ in range(300)]
    numbers += [0, 999, 1000, 9995, 99950, 999499, 999500, 1235 * 10**3, 12345 * 10**5, 10**18 - 1]
    for unit in ("FLOP", "byte", "parameter", "op"):
        script = f"(numbers) => numbers.map((each) => human(BigInt(each), {unit!r}))"
        assert page(script, [str(each) for each in numbers]) == [human(each, unit) for each in numbers]
    texts = ["4096", "4_096", "4k", "128K", "1m", "1", "1e6", "1.5k", "2e+3", "0.5k"]
    assert page("(texts) => texts.map((each) => String(parseSize(each)))", texts) == [
        str(parse_size(each)) for each in texts
    ]
    assert page("['0', '-1', '1.5', 'k', '', '1e9x', '1e-3', '1,024'].map(parseSize)") == [None] * 8


def test_a_field_says_what_is_wrong_with_it(browser: Any, pages: dict[str, Path]) -> None:
    """Below it, with the size that the numbers are of; until a size is typed that is one."""
    page = Opened(browser, pages["gpt2"])
    field = page.tab.get_by_label("seq_len", exact=True)
    for text in ("-3", "0", "abc", "1.5", "1,024", ""):
        field.fill(text)
        said = page.tab.locator(".fault:visible")
        assert said.count() == 1
        assert said.get_attribute("role") == "alert"
        assert f"“{text}” is no seq_len" in said.inner_text() or not text
        assert ("has a comma" in said.inner_text()) == ("," in text)
        assert said.inner_text().endswith("The numbers here are still those of 1,024.")
    field.fill("0.5k")
    assert page.tab.locator(".fault:visible").count() == 0
    assert human(graphacct.account("gpt2", seq_len=512).total["flops"], "FLOP") in page.texts("#totals b")
    assert page.faults == []


def test_a_page_says_what_its_numbers_are_of(browser: Any, tmp_path: Path) -> None:
    """Below the title, in the words of a picture's caption; in training the totals tell the forward pass from the
    step, and a command has all memory together."""
    path = tmp_path / "page.html"
    typed = ["bert-base-uncased", "--phase", "train", "--mask", "causal"]
    assert CliRunner().invoke(cli, ["draw", *typed, "-o", str(path)]).exit_code == 0
    page = Opened(browser, path)
    told = page.tab.locator("#of").inner_text()
    for text in ("convention exact, mask causal", "nodes costed", "phase train", "dtype float32", "optimizer adamw"):
        assert text in told
    assert "seq_len" not in told  # it has a field
    totals = page.tab.locator("#totals").inner_text()
    assert "Step FLOPs" in totals
    assert "Forward FLOPs" in totals
    assert page.texts("#memory") == ["graphacct memory bert-base-uncased --phase train"]


def test_nothing_lies_over_the_view(browser: Any, pages: dict[str, Path]) -> None:
    """The buttons and the legend have places of their own, and the first view cuts no closed part at its lower edge."""
    for width, height in ((1280, 800), (390, 844)):
        page = Opened(browser, pages["gpt2"])
        page.tab.set_viewport_size({"width": width, "height": height})
        page("openFirst()")
        view, *others = [page.tab.locator(name).bounding_box() for name in ("#view", ".zoom", "#legend")]
        for box in others:
            assert box["y"] >= view["y"] + view["height"] - 1 or box["y"] + box["height"] <= view["y"] + 1
        end = f"({view['height']} - PADDING) / view.scale"
        assert page(
            "[...view.boxes].filter(([number]) => !(isScope(number) && state.open.has(number)))"
            f".every(([, {{ y, height }}]) => y >= {end} || y + height <= {end} + 0.01)"
        )


def test_scopes_open_and_close_in_place(browser: Any, pages: dict[str, Path]) -> None:
    """By a click on the sign before the name, by a double click and by the keyboard."""
    page = Opened(browser, pages["llama-3-8b"])
    attention = page.part("model.layers.*.self_attn")
    toggle = page.tab.locator(f"[data-toggle='{attention}']")
    assert "q_proj" in page.texts("#world text")
    toggle.click()
    assert "q_proj" not in page.texts("#world text")
    assert "self_attn" in page.texts("#world text")
    page.tab.locator(f"#part-{attention}").dblclick()
    assert "q_proj" in page.texts("#world text")
    item = page.tab.locator("#" + page.tab.locator("#view").get_attribute("aria-activedescendant"))
    told = [item.get_attribute(name) for name in ("role", "aria-expanded", "aria-level", "aria-label")]
    assert told == ["treeitem", "true", "3", "self_attn, 7 nodes, FLOPs 57.7 TFLOP, 36.34 %"]
    page.tab.keyboard.press("Enter")
    assert item.get_attribute("aria-expanded") == "false"
    assert "q_proj" not in page.texts("#world text")
    page.tab.keyboard.press("e")
    assert page("view.boxes.size === PARTS.length - 1")
    page.tab.keyboard.press("c")
    assert page("[...state.open].join() === CONTENT.open.join()")
    assert page.faults == []


def test_a_node_says_where_its_numbers_come_from(browser: Any, pages: dict[str, Path]) -> None:
    """What `explain` says, for the sizes as they are: the formula in the operator's names, values, operands, source."""
    page = Opened(browser, pages["gpt2"])
    page.tab.get_by_label("batch", exact=True).fill("2")
    page.tab.keyboard.press("Escape")
    page.tab.locator(f"#part-{page.part('transformer.h.*.attn.c_attn')}").click()
    page.tab.locator("[data-quantity=matmul_flops] summary").click()
    explained = graphacct.explain(graphacct.account("gpt2", batch=2), "attn.c_attn", "matmul_flops")
    panel = page.tab.locator("#details").inner_text()
    line = explained.lines[0]
    for text in (explained.node, line.formula, line.substituted, f"{line.total:,}", explained.source):
        assert text in panel
    assert "float32[2, 1024, 768]" in panel
    assert page.faults == []


def test_each_tensor_has_its_name(browser: Any, pages: dict[str, Path]) -> None:
    """A page writes once what nodes share, and the beginnings of names; the script puts each node together again."""
    for model, path in pages.items():
        page = Opened(browser, path)
        found = page(
            "PARTS.filter((part) => part.figures).map(({ path, operands = [], gives = [] }) => "
            "[path, operands.map((each) => each[1]), gives.map((each) => each[1])])"
        )
        names = {}
        for record in graphacct.account(model, **OPTIONS[model]).annotated.costs:
            node = record.node
            names[node.name] = [[each.name for each in node.inputs], [each.name for each in node.outputs]]
        assert len(found) > 10
        assert {path: tensors for path, *tensors in found} == {path: names[path] for path, *_ in found}


def test_numbers_of_repetitions_say_that_they_are_sums(browser: Any, pages: dict[str, Path]) -> None:
    """In the panel, in the tip and in the legend: a part of a block that repeats has the numbers of all repetitions."""
    page = Opened(browser, pages["llama-3-8b"])
    assert "repetitions summed" in page.tab.locator("#legend").inner_text()
    for path, told in {
        "model": "29 nodes",
        "model.layers.*": "16 nodes · summed over 32 repetitions",
        "model.layers.*.mlp": "5 nodes · summed over 32 repetitions",
        "model.layers.*.mlp.up_proj": "linear · summed over 32 runs",
        "lm_head": "linear",
    }.items():
        page(f"select({page.part(path)})")
        assert page.tab.locator("#details .kind").inner_text() == told
    page(f"reveal({page.part('model.layers.*.mlp.up_proj')})")
    page.tab.locator(f"#part-{page.part('model.layers.*.mlp.up_proj')}").hover()
    assert "summed over 32 runs" in page.tab.locator("#tip").inner_text()
    training = Opened(browser, pages["bert-base-uncased"])
    training("recolour('peak_bytes')")
    assert "the largest of repetitions" in training.tab.locator("#legend").inner_text()


def test_a_training_step_says_what_it_adds(browser: Any, pages: dict[str, Path]) -> None:
    """The parts of a gradient with their formulas, and the tensors that are kept with their bytes."""
    page = Opened(browser, pages["bert-base-uncased"])
    page.tab.get_by_label("batch", exact=True).fill("4")
    page(f"reveal({page.part('bert.encoder.layer.*.intermediate.dense')})")
    page.tab.locator("[data-quantity=step_flops] summary").click()
    found = graphacct.explain(graphacct.account("bert-base-uncased", phase="train", batch=4), "intermediate.dense")
    rows = [row for row in found.saved if not row.counted]
    panel = page.tab.locator("#details").inner_text()
    assert "Kept for the backward pass" in panel
    assert rows
    for row in rows:
        assert human(row.total, "byte") in panel
        assert row.why in panel
    assert "2 · batch · k · n = 2 · 2,048 · 768 · 3,072 = 9,663,676,416, 12 times" in panel
    work = page("PARTS[state.selected].work.map(([q, of, , each, times]) => [q, of, Number(state.figures[each])])")
    lines = {line.quantity: line for line in found.lines}
    parts = {(part.quantity, part.of, part.each) for line in lines.values() for part in line.parts}
    assert {tuple(each) for each in work} == parts
    assert page.faults == []


def test_search_finds_a_part_and_opens_what_it_is_in(browser: Any, pages: dict[str, Path]) -> None:
    """By a piece of its name or of its operator; Enter goes to the first."""
    page = Opened(browser, pages["llama-3-8b"])
    page.tab.keyboard.press("/")
    page.tab.keyboard.type("rotary cos_table")
    assert page.texts("#found button span") == ["model.rotary_emb.cos_table"]
    page.tab.keyboard.press("Enter")
    assert page.texts("#details h2") == ["cos_table"]
    assert "cos_table" in page.texts("#world text")
    assert page("PARTS[state.selected].path") == "model.rotary_emb.cos_table"


def test_a_link_is_the_page_as_it_was(browser: Any, pages: dict[str, Path]) -> None:
    """Sizes, colour, open scopes and the chosen part are in the address, and come back from it."""
    page = Opened(browser, pages["gpt2"], "#batch=8&seq_len=512&color=params&part=lm_head")
    assert page.tab.get_by_label("batch", exact=True).input_value() == "8"
    assert page.tab.locator("#color").input_value() == "params"
    assert page.texts("#details h2") == ["lm_head"]
    assert human(graphacct.account("gpt2", batch=8, seq_len=512).total["flops"], "FLOP") in page.texts("#totals b")
    page.tab.keyboard.press("Escape")
    page(f"toggle({page.part('transformer.h.*')})")
    opened = [number for number in page("CONTENT.open") if number != page.part("transformer.h.*")]
    assert page("location.hash") == f"#batch=8&seq_len=512&color=params&open={'.'.join(map(str, opened))}"
    other = Opened(browser, pages["gpt2"], page("location.hash"))
    assert other("view.boxes.size") == page("view.boxes.size")
    bad = Opened(browser, pages["gpt2"], "#batch=x&color=nothing&part=nowhere&open=a.b")
    assert bad.faults == []


def test_it_is_dark_where_the_reader_likes_it(browser: Any, pages: dict[str, Path]) -> None:
    """By the system's wish, and by the button."""
    page = Opened(browser, pages["gpt2"], color_scheme="dark")
    assert page("document.documentElement.dataset.theme") == "dark"
    background = "getComputedStyle(document.body).backgroundColor"
    assert page(background) == "rgb(13, 17, 23)"
    page.tab.locator("#theme").click()
    assert page(background) == "rgb(255, 255, 255)"


def test_the_view_is_exported_as_svg(browser: Any, pages: dict[str, Path]) -> None:
    """It is well formed, says what is drawn, and looks as it does without a style."""
    from xml.etree import ElementTree

    page = Opened(browser, pages["gpt2"])
    with page.tab.expect_download() as download:
        page.tab.locator("#export").click()
    assert download.value.suggested_filename == "gpt2.svg"
    text = Path(download.value.path()).read_text(encoding="utf-8")
    words = {each.text for each in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")}
    assert {"gpt2", "lm_head", "h.* ×12", "FLOPs: 0", "79.0 GFLOP, repetitions summed"} <= words
    assert not re.search(r" (data|aria)-|role=", text)
    assert "<style" not in text


def test_without_a_script_there_is_the_picture(browser: Any, pages: dict[str, Path]) -> None:
    """The static picture stands in the page."""
    page = Opened(browser, pages["gpt2"], java_script_enabled=False)
    assert page.tab.locator("noscript svg").count() == 1
    assert "lm_head" in page.tab.locator("noscript svg").text_content()


def test_names_with_markup_are_text(browser: Any, tmp_path: Path) -> None:
    """A file's names become no elements, and end no script."""
    name = "</script><img src=x onerror=alert(1)>"
    graph = tmp_path / "graph.json"
    found = graphacct.account("gpt2").annotated.graph
    graphacct.save(graphacct.evolve(found, name=name), str(graph))
    path = tmp_path / "page.html"
    path.write_text(graphacct.page(str(graph)), encoding="utf-8")
    page = Opened(browser, path)
    assert page.faults == []
    assert page.tab.locator("img").count() == 0
    assert page.texts("#sizes .note") == ["The sizes of this graph are fixed."]
    assert json.dumps(name) in page("JSON.stringify(CONTENT.model)")


def test_twelve_hundred_nodes_open_in_a_second(browser: Any, tmp_path: Path) -> None:
    """An unrolled model: all of it drawn, and coloured anew. Twice the bar of 1 s and 100 ms, on a shared machine."""
    path = tmp_path / "page.html"
    report = graphacct.account("deepseek-v3", set={"num_hidden_layers": 24}, quantities=FEW)
    path.write_text(report.page(unroll=True), encoding="utf-8")
    page = Opened(browser, path)

    def seconds(action: str) -> float:
        timed = (
            f"const start = performance.now(); {action}; document.body.offsetWidth; return performance.now() - start"
        )
        return page(f"(() => {{ {timed} }})()") / 1000

    opened = min(seconds("openAll()") for _ in range(3))
    coloured = min(seconds(f"recolour('{name}')") for name in FEW)
    assert page("view.boxes.size") > 1200
    assert opened < 2
    assert coloured < 0.2
    assert page.faults == []


def test_a_print_has_the_whole_view(browser: Any, pages: dict[str, Path]) -> None:
    """All of it on paper, in light colours, without controls."""
    page = Opened(browser, pages["gpt2"], color_scheme="dark")
    page.tab.emulate_media(media="print")
    page("dispatchEvent(new Event('beforeprint'))")
    assert page("view.theme") == "light"
    assert page.tab.locator(".tools").is_hidden()
    assert page("document.getElementById('view').getAttribute('viewBox')") is not None
    page("dispatchEvent(new Event('afterprint'))")
    assert page("view.theme") == "dark"
