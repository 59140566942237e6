"""How the pages become a site: Sphinx with furo; `make docs` (docs/decisions/site.md)."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "site"))

project = "graphacct"
copyright = "the graphacct authors"
html_title = "graphacct"
html_theme = "furo"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"sidebar_hide_name": False, "navigation_with_keys": True}
pygments_style = "default"
pygments_dark_style = "github-dark"

extensions = ["myst_parser", "sphinx_external_toc", "sphinx_copybutton", "operator_reference", "playground"]
external_toc_path = "site/contents.yml"
external_toc_exclude_missing = False
exclude_patterns = ["README.md", "site/static"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 6
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
copybutton_remove_prompts = True
# What a console prints is no language; a page's tables hold names that look like one.
highlight_language = "text"
suppress_warnings = ["misc.highlighting_failure"]
