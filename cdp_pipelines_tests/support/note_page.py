"""A page that shows notes with scripts on, and tells what they did to it.

Belongs here: the page and its detectors. Not here: which notes are shown, and what the sanitizer promises.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Route

# Nothing is ever asked of this host: the browser's requests are answered here. https, since there an address such as
# `https:x` leads to the page's own host.
PAGE: Final = "https://notes.invalid/"
_CONTROL: Final = PAGE + "control.svg"
_OWN: Final = (PAGE, _CONTROL, PAGE + "favicon.ico")

# In every frame, before anything else: what attacks call to show that they run, without stopping the page.
_TRAPS: Final = """
for (const name of ["alert", "confirm", "prompt", "print", "open"]) window[name] = () => window.__hit(name + "()");
"""
_ASSIGN: Final = """
notes => {
    for (const note of notes) {
        const place = document.createElement("div");
        place.className = "note";
        document.body.append(place);
        place.innerHTML = note;
    }
}
"""
# A person's mouse and keys, then a picture of our own: when it is there, those asked for before it were asked for too.
_TOUCH: Final = """
async control => {
    document.addEventListener("click", event => event.preventDefault(), true);
    for (const element of document.querySelectorAll(".note *"))
        for (const name of ["mouseover", "mouseenter", "pointerdown", "focus", "keydown", "click", "input", "submit"])
            element.dispatchEvent(new Event(name, {bubbles: true, cancelable: true}));
    await new Promise(done => {
        const picture = new Image();
        picture.onload = picture.onerror = done;
        picture.src = control;
    });
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}
"""
_AUDIT: Final = """
() => [...document.querySelectorAll(".note *")].flatMap(element => {
    const found = element.getAttributeNames().filter(name => name.startsWith("on"));
    if (element.protocol !== undefined && element.hasAttribute("href")) {
        if (!["http:", "https:", "mailto:"].includes(element.protocol)) found.push("link to " + element.protocol);
        if (element.host === location.host) found.push("link to the page's own host");
    }
    return found.map(what => `<${element.localName}>: ${what}`);
})
"""


def what_runs(browser: "Browser", page_html_fragments: Sequence[str]) -> list[str]:
    """What the notes do in a browser: scripts, requests, windows, errors, handlers, false links; empty if nothing.

    Each note is shown twice: written into the page that is loaded, and assigned to `innerHTML`.
    """
    seen: list[str] = []
    notes = "\n".join(f'<div class="note">{fragment}</div>' for fragment in page_html_fragments)
    html = f"<!DOCTYPE html><html><head><title>Notes</title></head><body>{notes}</body></html>"
    # A context of its own: neither cache nor storage nor open pages of another call.
    with browser.new_context() as context:
        page = context.new_page()
        _watch(page, html, seen)
        page.goto(PAGE)
        page.evaluate(_ASSIGN, list(page_html_fragments))
        page.evaluate(_TOUCH, _CONTROL)
        seen.extend(page.evaluate(_AUDIT))
    return seen


def _watch(page: "Page", html: str, seen: list[str]) -> None:
    def answer(route: "Route") -> None:
        url = route.request.url
        if url not in _OWN:
            seen.append(f"request of {url[:200]}")
            route.abort()
        elif url == PAGE:
            route.fulfill(content_type="text/html; charset=utf-8", body=html)
        else:
            route.fulfill(content_type="image/svg+xml", body="<svg xmlns='http://www.w3.org/2000/svg'/>")

    def refuse(dialog: "Dialog") -> None:
        seen.append(f"dialog: {dialog.type}")
        dialog.dismiss()

    def hear(message: "ConsoleMessage") -> None:
        if message.type == "error":
            seen.append(f"console: {message.text}")

    page.context.route("**/*", answer)
    page.expose_function("__hit", lambda what: seen.append(f"script: {what}"))
    page.add_init_script(_TRAPS)
    page.on("dialog", refuse)
    page.on("popup", lambda popup: seen.append("a new window"))
    page.on("pageerror", lambda error: seen.append(f"error of a script: {error}"))
    page.on("console", hear)
    page.on("frameattached", lambda frame: seen.append("a frame"))
