"""Take the screenshots of docs/screenshots from a running service that holds messages and themes.

python -m tests.acceptance.web.screenshots http://127.0.0.1:8080 [overview models …]
"""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import which

from playwright.sync_api import Page, sync_playwright

TARGET = Path(__file__).parents[3] / "docs" / "screenshots"
LOOKS = {"desk": (1440, "light"), "dark": (1440, "dark"), "phone": (390, "dark")}
SHOTS = (
    ("overview", "zh", "desk"),
    ("overview", "en", "dark"),
    ("overview", "en", "phone"),
    ("themes", "zh", "desk"),
    ("theme", "en", "desk"),
    ("try", "zh", "phone"),
    ("try", "en", "desk"),
    ("review", "zh", "desk"),
    ("review", "en", "phone"),
    ("policy", "en", "desk"),
    ("models", "en", "desk"),
    ("subscriptions", "zh", "desk"),
    ("subscriptions/new", "en", "desk"),
    ("subscriptions/new", "zh", "phone"),
    ("deliveries", "zh", "desk"),
    ("sign-in", "en", "desk"),
    ("jobs", "en", "desk"),
)
LOCALES = {"zh": "zh-CN", "en": "en-GB"}
HEIGHTS = {"desk": 1000, "dark": 1300, "phone": 1100}


def prepare(page: Page, name: str) -> None:
    """Bring a page into the state that shows what it is for."""
    if name == "theme":
        page.locator("td.lead a").first.click()
        page.wait_for_url("**/ui/themes/thm_*")
    if name == "try":
        page.locator("[data-fills]").first.click()
        page.wait_for_selector(".verdict")
    if name == "policy":
        editor = page.locator("#policy")
        editor.fill(editor.input_value().replace("above: 500", "above: 100"))
        page.locator("[hx-post]").click()
        page.wait_for_selector("#preview .stack")
        page.evaluate("scrollTo(0, 0)")


def main(url: str, *names: str) -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=which("chromium"), args=["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
        )
        for name, language, look in [shot for shot in SHOTS if not names or shot[0] in names]:
            width, scheme = LOOKS[look]
            page = browser.new_page(
                viewport={"width": width, "height": HEIGHTS[look]},
                locale=LOCALES[language],
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page.set_default_timeout(120_000)
            page.goto(f"{url}/ui/{'themes' if name == 'theme' else name}")
            prepare(page, name)
            page.wait_for_timeout(400)
            page.screenshot(path=TARGET / f"{name.replace('/', '-')}-{language}-{look}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
