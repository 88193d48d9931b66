"""A tab's own page: HTML, style and scripts from `static/`, in one Gradio component."""

from pathlib import Path

import gradio as gr

STATIC = Path(__file__).parent / "static"


def page(name: str, scripts: tuple[str, ...], before: str = "", **texts: str) -> gr.HTML:
    """Declare `static/NAME.html` and `NAME.css` with the tab's scripts, inside the current gr.Tab.

    Scripts run in the order given, after the code `before`; `texts` replace `<!-- NAME -->` in the HTML.
    """
    html = (STATIC / f"{name}.html").read_text("utf-8")
    for place, text in texts.items():
        html = html.replace(f"<!-- {place} -->", text)
    component = gr.HTML(
        html_template=html,
        css_template=(STATIC / f"{name}.css").read_text("utf-8"),
        js_on_load="\n".join([before, *((STATIC / script).read_text("utf-8") for script in scripts)]),
        apply_default_css=False,
    )
    # Gradio describes every component anew for each request that brings no session, and searches all of a page's
    # scripts to do so: half of an answer's time. This one never changes, so it is described once.
    described = component.get_config()
    component.get_config = lambda: dict(described)
    return component
