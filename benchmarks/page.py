"""Picture of the web page for the README: a listener's list, and a piece composed for them.

    python benchmarks/page.py --home HOME

`HOME` is a home of `make demo`; copy it first if it is in use, because the list is stored as an
impression. Needs Chromium on the PATH, and Playwright (`pip install -e '.[dev]'`).
"""

from __future__ import annotations

import argparse
import io
import shutil
import threading
import time
from pathlib import Path

import uvicorn
from PIL import Image
from playwright.sync_api import sync_playwright

from troubadour.app.studio import Studio
from troubadour.generation.request import Brief
from troubadour.server.app import create_app

OUT = Path(__file__).parents[1] / "docs" / "images" / "page.png"
MOST_BYTES = 200_000
COLOURS = 64
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-gpu"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--listener", default="sim-0001")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no chromium on the PATH; on Debian: apt-get install chromium")
    with Studio(options.home) as studio:
        made = [
            p for p in studio.store.pieces(generated=True) if p.provenance.get("listener") == options.listener
        ]
        piece = made[-1].id if made else studio.compose(Brief(), seed=0, listener=options.listener).id
        server = uvicorn.Server(uvicorn.Config(create_app(studio), port=0, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
                page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
                page.goto(f"http://127.0.0.1:{port}/#listeners?listener={options.listener}&piece={piece}")
                page.locator("#lists li").nth(9).wait_for(state="attached")
                page.locator("#last li").first.wait_for(state="attached")
                page.locator("#score svg g.note").first.wait_for()
                picture = page.screenshot()
                browser.close()
        finally:
            server.should_exit = True
            thread.join()
    # A page of words and lines needs few colours; with all of them it is three times as large.
    small = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
    size = len(small.getvalue())
    if size > MOST_BYTES:
        raise SystemExit(f"the picture has {size} bytes; allowed: {MOST_BYTES}")
    OUT.write_bytes(small.getvalue())
    print(f"{OUT.name}: {size // 1000} kB")


if __name__ == "__main__":
    main()
