#!/usr/bin/env python3
"""A browser goes through the whole console: what it shows, who may see it, and whether everybody can use it.

  .ci/console.py PROGRAM AXE SCREENSHOTS   with the program `paradigm-scim`, the file axe.min.js, and a folder

`scripts/postgres run .ci/console.py …` does the same on PostgreSQL. It needs Playwright, Debian's Chromium and faketime.
With UPDATE_DOCS=1 it writes the README's pictures.
"""

import contextlib
import http.server
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from console_directory import (
    HOSTILE,
    Directory,
    Past,
    add_hostile,
    embedded,
    postgresql,
)
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
MAX_PAGE_BYTES = 100_000
# The two pictures of the README together.
MAX_PICTURES_BYTES = 300_000
WINDOW = {"width": 1100, "height": 760}
PHONE = {"width": 360, "height": 740}
SERIOUS = {"serious", "critical"}
FIRST_PAINT = """new Promise(found => new PerformanceObserver(paints => {
  const first = paints.getEntriesByName('first-contentful-paint')[0]
  if (first) found(first.startTime)
}).observe({type: 'paint', buffered: true}))"""


class Tour:
    """A browser with a session, and all that it must never see."""

    def __init__(self, browser, link, axe, screenshots):
        self.browser, self.axe, self.screenshots = browser, axe, screenshots
        self.origin = link.split("/open/")[0]
        self.problems, self.findings, self.checked, self.paints = [], 0, 0, []
        self.page = self.new_page()
        response = self.page.goto(link)
        assert response.status == 200, response.status
        assert self.page.url == f"{self.origin}/", self.page.url

    def new_page(self, **options):
        context = self.browser.new_context(viewport=WINDOW, **options)
        page = context.new_page()
        page.on("dialog", lambda dialog: (self.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("console", lambda message: self.problems.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        page.on("request", self.requested)
        return page

    def requested(self, request):
        if not request.url.startswith((f"{self.origin}/", "data:,")):
            self.problems.append(f"request of another origin: {request.url}")

    def go(self, path):
        response = self.page.goto(f"{self.origin}{path}")
        assert response.status == 200, (path, response.status)
        length = len(response.body())
        assert length < MAX_PAGE_BYTES, (path, length)
        self.paints.append((self.page.evaluate(FIRST_PAINT), path))

    def press(self, name):
        """Follows a link of the navigation by keyboard."""
        link = self.page.get_by_role("navigation", name="Pages").get_by_role("link", name=name)
        link.focus()
        self.page.keyboard.press("Enter")
        self.page.wait_for_load_state()

    def look(self, name):
        """Checks that everybody can use the page, in light and dark, and on a phone; and takes a picture."""
        page = self.page
        self.checked += 1
        for scheme in ["dark", "light"]:
            page.emulate_media(color_scheme=scheme)
            page.evaluate(self.axe)
            result = page.evaluate("axe.run()")
            for violation in result["violations"]:
                self.findings += 1
                targets = [node["html"][:200] for node in violation["nodes"][:3]]
                print(f"  axe: {name}, {scheme}: {violation['impact']}: {violation['id']}: {targets}")
                if violation["impact"] in SERIOUS:
                    self.problems.append(f"axe: {violation['id']} on {name}, {scheme}")
        page.set_viewport_size(PHONE)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            self.problems.append(f"{name} is {width} pixels wide on a phone")
        page.screenshot(path=self.screenshots / f"{name}-phone.png", full_page=True)
        page.set_viewport_size(WINDOW)
        page.screenshot(path=self.screenshots / f"{name}.png")
        page.emulate_media(color_scheme="dark")
        page.screenshot(path=self.screenshots / f"{name}-dark.png", full_page=True)
        page.emulate_media(color_scheme="light")

    def heading(self, text):
        """Requires the page with this heading, which is in its title too."""
        assert self.page.get_by_role("heading", level=1).inner_text() == text, self.page.content()
        assert self.page.title() == f"{text} - Paradigm SCIM console", self.page.title()

    def shows(self, *texts):
        content = self.page.inner_text("main")
        for text in texts:
            assert text in content, f"{text!r} is missing in {content}"


def see_everything(tour, past):
    """Goes from page to page as an operator does."""
    page = tour.page
    tour.heading("Overview")
    tour.shows("Acme", "Globex", "Entra", "12 days", "key rotate", "was not used for 38 days", "changes in 30 days")
    tour.look("overview")
    page.get_by_text("Changes per day as a table").click()
    tour.shows("Day (UTC)")
    tour.press("Companies")
    tour.heading("Companies")
    tour.look("companies")
    page.get_by_role("link", name="Acme").click()
    tour.heading("Company")
    tour.shows("company suspend", past.acme)
    tour.press("Keys")
    tour.heading("Keys")
    page.get_by_text("Rotate or revoke").first.click()
    tour.shows("Entra", past.entra, "today", "Old script", "never", "key rotate", "key revoke", "key create")
    tour.look("keys")
    tour.press("Users")
    tour.heading("Users")
    tour.shows("scim@acme.example", "users, oldest first")
    tour.look("users")
    page.get_by_role("link", name="Next part").click()
    assert "after=" in page.url, page.url
    page.get_by_role("link", name="First part").click()
    search(tour, past)
    tour.heading("A user's life")
    tour.shows("soft-deleted", "restored", "deactivated", "created", "title", "Entra", "request", "Senior analyst", "user restore", "erase")
    tour.look("life")
    tour.press("Requests")
    tour.heading("Requests")
    tour.shows("PATCH /Users/{id}", "GET /Me")
    tour.look("requests")
    page.get_by_role("link", name="Refused and failed ones").click()
    tour.shows("user-name-taken", "409", "501", "POST /Groups")
    assert "GET /Me" not in page.inner_text("main")
    tour.press("Health")
    tour.heading("Health")
    tour.shows("reachable", "writable", "ok")
    page.get_by_role("button", name="Run doctor").click()
    tour.shows("Run at", "test connection", "passed")
    tour.look("health")


def search(tour, past):
    """Finds a user by each value, and leaves no trace of it in addresses and titles."""
    page = tour.page
    for value in ["E-1", past.user, past.name.upper()]:
        field = page.get_by_label("userName, email, externalId or id")
        field.fill(value)
        field.press("Enter")
        page.wait_for_load_state()
        assert page.url == f"{tour.origin}/companies/{past.acme}/users", page.url
        tour.heading("Users")
        # After the soft delete the old name is in the email only.
        tour.shows("1 user found", "soft-deleted")
    tour.look("found")
    page.get_by_role("row").nth(1).get_by_role("link").first.click()
    assert past.name not in page.url


def see_hostile(tour, company):
    """Sees names that browsers could take for markup, and people for something else."""
    for path in ["/", "/companies", f"/companies/{company}", f"/companies/{company}/users", f"/companies/{company}/keys"]:
        tour.go(path)
        assert tour.page.locator("main script, main img, main svg[onload]").count() == 0, path
        assert tour.page.title().endswith(" - Paradigm SCIM console"), tour.page.title()
    tour.look("hostile-keys")
    users = f"/companies/{company}/users"
    tour.go(users)
    tour.shows(HOSTILE[0], HOSTILE[1], HOSTILE[5], "invoice\ufffdgpj.exe")
    tour.look("hostile-users")
    rows = tour.page.get_by_role("row").filter(has=tour.page.get_by_role("link"))
    lives = [rows.nth(row).get_by_role("link").first.get_attribute("href") for row in range(len(HOSTILE))]
    for life in lives:
        tour.go(life)
    tour.look("hostile-life")
    for name in HOSTILE:
        tour.go(users)
        tour.page.get_by_role("searchbox").fill(name)
        tour.page.get_by_role("button", name="Find").click()
        tour.shows("1 user found")


def see_without_scripts(tour, past):
    """Does the same without JavaScript, with the session's cookie."""
    page = tour.new_page(java_script_enabled=False)
    page.context.add_cookies(tour.page.context.cookies())
    page.goto(tour.origin)
    page.get_by_role("link", name="Acme").first.click()
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Users").click()
    page.get_by_role("searchbox").fill(past.name)
    page.get_by_role("button", name="Find").click()
    assert page.get_by_text("1 user found").is_visible()


class Stranger(http.server.BaseHTTPRequestHandler):
    """A page of another origin on this machine, which would like to read and to send."""

    target = ""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        form = f'<form action="{self.target}" method="post"><input name="value" value="x"><button>Go</button></form>'
        self.wfile.write(f'<!DOCTYPE html><title>s</title>{form}<iframe src="{self.target}"></iframe>'.encode())

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def stranger(target):
    handler = type("OneStranger", (Stranger,), {"target": target})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def keep_out(tour, link, past):
    """Comes without a session, with a used link, under another name, and from another origin."""
    refused = {}
    page = tour.browser.new_context().new_page()
    refused["without a link"] = page.goto(f"{tour.origin}/companies/{past.acme}/users").status
    refused["with a used link"] = page.goto(link).status
    port = tour.origin.rsplit(":", 1)[1]
    with_session = tour.browser.new_context()
    with_session.add_cookies(tour.page.context.cookies())
    page = with_session.new_page()
    # The browser resolves this name to this machine, as after DNS rebinding.
    refused["another host"] = page.goto(f"http://rebound.example:{port}/").status
    refused["localhost"] = page.goto(f"http://localhost:{port}/").status
    with stranger(f"{tour.origin}/companies/{past.acme}/users") as origin:
        page.goto(origin)
        frame = page.frames[1]
        assert past.acme not in frame.url or "acme.example" not in frame.content(), "framed"
        with page.expect_navigation() as navigation:
            page.get_by_role("button", name="Go").click()
        refused["a form of another origin"] = navigation.value.status
    expected = {"without a link": 401, "with a used link": 410, "another host": 421, "localhost": 421, "a form of another origin": 403}
    assert refused == expected, refused
    print(f"  refused: {refused}")


def see_alone(browser, directory):
    """Opens `console` without a server, by the link that it prints on a terminal."""
    terminal, of_program = pty.openpty()
    command = [directory.program, "console", "--listen", "127.0.0.1:0", *directory.store]
    console = subprocess.Popen(command, stdout=of_program, stderr=subprocess.DEVNULL)
    try:
        printed = ""
        while not (link := re.search(r"Console: (http://\S+) \(works once", printed)):
            printed += os.read(terminal, 1024).decode()
        page = browser.new_page()
        page.goto(link[1])
        assert "Acme" in page.inner_text("main")
        page.get_by_role("link", name="Requests").click()
        assert "CloudWatch Logs Insights" in page.inner_text("main")
    finally:
        console.terminate()
        console.wait()


def leave(tour):
    """Ends the session; going back shows nothing."""
    tour.go("/")
    tour.page.get_by_role("button", name="End session").click()
    assert "The session has ended" in tour.page.inner_text("main")
    tour.page.go_back()
    tour.page.get_by_role("heading", name="No session").wait_for()


def check_pictures(screenshots):
    """Writes the README's pictures if that is wanted, and checks that they are small."""
    pictures = {Path("docs") / f"console-{name}.png": screenshots / f"{name}.png" for name in ["overview", "life"]}
    for picture, new in pictures.items():
        if os.environ.get("UPDATE_DOCS"):
            shutil.copyfile(new, picture)
        # Those of this run show whether they would be small.
        assert new.stat().st_size < MAX_PICTURES_BYTES / 2, (new, new.stat().st_size)
    length = sum(picture.stat().st_size for picture in pictures)
    assert length < MAX_PICTURES_BYTES, length


def run(program, axe, screenshots, folder):
    store = postgresql(program, folder) if "SCIM_TEST_POSTGRES" in os.environ else embedded(folder)
    directory = Directory(program, store, folder)
    past = Past(directory)
    os.environ["SCIM_TOKEN"] = directory.environment["SCIM_TOKEN"] = past.token
    link_file = folder / "link"
    beside = ["--console", "127.0.0.1:0", "--console-link-file", str(link_file)]
    with sync_playwright() as playwright, directory.serving(*beside) as base:
        past.today(base)
        link = link_file.read_text().strip()
        arguments = ["--host-resolver-rules=MAP rebound.example 127.0.0.1"]
        # Chromium's sandbox does not run as root.
        arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        tour = Tour(browser, link, axe, screenshots)
        see_everything(tour, past)
        see_without_scripts(tour, past)
        keep_out(tour, link, past)
        see_hostile(tour, add_hostile(directory))
        see_alone(browser, directory)
        leave(tour)
        # Chromium reports each refused response on its console, and the refusal of the page above is meant.
        problems = [problem for problem in tour.problems if "status of 401" not in problem]
        browser.close()
    slowest, path = max(tour.paints)
    print(f"  {tour.checked} pages, {tour.findings} findings of axe in light and dark; slowest first contentful paint {slowest:.0f} ms, at {path}")
    assert not problems, "\n".join(problems)
    check_pictures(screenshots)


if __name__ == "__main__":
    program, axe, screenshots = sys.argv[1:]
    Path(screenshots).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scim-") as temporary:
        run(Path(program).resolve(), Path(axe).read_text(), Path(screenshots), Path(temporary))
