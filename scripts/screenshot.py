"""Takes the README's picture of a running demo's page in headless Chromium."""

from __future__ import annotations

import shutil
import sys

from playwright.sync_api import sync_playwright


def main(url: str, path: str) -> None:
    """Open the page, wait until it has loaded, and write a PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, device_scale_factor=1)
        page.goto(url, wait_until="load")
        page.wait_for_timeout(3_000)
        page.screenshot(path=path)
        browser.close()
    print(path)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
