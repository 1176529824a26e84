"""The status page in a real browser: it renders, breaks no policy, and its filter works from the keyboard."""

from __future__ import annotations

import os
from pathlib import Path

from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.chromium import Tab
from tests.support.replicas import Replicas
from tests.support.status_pages import HOST, fetch, serving
from tests.support.world import World

PICTURE = Path(__file__).parents[2] / "docs" / "status-page.png"
MAX_PICTURE = 200 * 1024

ROWS = "[...document.querySelectorAll('#shown ~ tbody tr')].map(row => row.cells[3].innerText)"
FITS = "(box => box.scrollWidth <= box.clientWidth)(document.querySelector('.wide'))"
CONTRASTS = """(() => {
  const light = colour => {
    const channels = colour.match(/[0-9.]+/g).slice(0, 3).map(Number).map(value => value / 255)
      .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2];
  };
  const back = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (colour !== 'rgba(0, 0, 0, 0)') return colour;
    }
  };
  return Math.min(...[...document.querySelectorAll('body *')].filter(one => one.innerText && !one.closest('style'))
    .filter(one => !['SELECT', 'OPTION', 'BUTTON', 'INPUT'].includes(one.tagName)).map(one => {
      const [low, high] = [light(getComputedStyle(one).color), light(back(one))].sort((a, b) => a - b);
      return (high + 0.05) / (low + 0.05);
    }));
})()"""
"""The lowest contrast of a text with what is behind it, as WCAG 2.2 computes it (1.4.3)."""
ENOUGH_CONTRAST = 4.5


async def town(world: World) -> str:
    """Create pairs in every state that an administrator meets; return the receiving namespace."""
    shop, fuse = await world.namespace("shop"), await world.namespace("fuse")
    syndesis = await world.syndesis(fuse)
    await world.deliver(Pair(await world.space(shop, "orders", allowed=fuse), syndesis))
    await world.offered(Pair(await world.space(shop, "invoices", allowed=fuse), syndesis))
    status = {"isReady": False, "messages": ["the broker of plan standard-small has no storage"]}
    waiting = Pair(await world.space(shop, "returns", allowed=fuse, status=status), syndesis)
    await world.offered(waiting)
    await world.enable(waiting)
    reference = {"namespace": "payments", "name": "refunds"}
    spec = {"client": "syndesis", "enabled": True, "addressSpaceRef": reference}
    await world.create("Integration", fuse, "refunds", spec=spec)
    await world.bind(Ref(shop, "orders"), shop, "checkout")
    await world.ready(Ref(shop, "checkout"))
    await world.has_reason(waiting, "AddressSpaceNotReady")
    return fuse


async def test_an_administrator_reads_and_filters(world: World, replicas: Replicas, tab: Tab) -> None:
    port = await serving(world, replicas)
    async with world.platforms():
        fuse = await town(world)

    async def reported() -> bool:
        states = (await fetch(port, "/status.json")).document["states"]
        return (states["stalled"], states["reconciling"], states["disabled"], states["ready"]) == (1, 1, 1, 2)

    await world.eventually("all is reported", reported, every=0.3)
    await tab.open(f"http://{HOST}:{port}/status")
    assert await tab.evaluate("document.title") == "Status of the integration operator"
    assert await tab.evaluate(ROWS) == ["stalled", "reconciling", "disabled", "ready", "ready"]
    assert await tab.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse") == "collapse"
    for dark in (False, True):
        picture = await tab.screenshot(1280, 760, dark=dark)
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < MAX_PICTURE
        assert await tab.evaluate(FITS), "no column is cut off"
        assert await tab.evaluate(CONTRASTS) >= ENOUGH_CONTRAST, f"dark: {dark}"
        if os.environ.get("UPDATE_PICTURES") and not dark:
            PICTURE.write_bytes(picture)
    await tab.evaluate("document.querySelector('[name=namespace]').focus()")
    await tab.send("Input.insertText", text=fuse)
    await tab.key("Tab", code=9)
    await tab.key("s", "s", 83)  # chooses the first state that begins with it
    await tab.key("Tab", code=9)
    await tab.key("Tab", code=9)
    assert await tab.evaluate("document.activeElement.tagName") == "BUTTON"
    await tab.submit()
    assert await tab.evaluate("location.search") == f"?namespace={fuse}&state=stalled&reason="
    assert await tab.evaluate(ROWS) == ["stalled"]
    assert await tab.evaluate("document.querySelector('[name=state]').value") == "stalled"
    assert tab.complaints == []
    assert {url.partition("?")[0] for url in tab.requests} == {f"http://{HOST}:{port}/status"}


async def test_a_screen_reader_finds_its_way(world: World, replicas: Replicas, tab: Tab) -> None:
    """Its tree of accessible names: headings, a caption for each table, a name for each control."""
    port = await serving(world, replicas)
    await world.offered(await world.pair())
    await tab.open(f"http://{HOST}:{port}/status")
    tree = (await tab.send("Accessibility.getFullAXTree"))["nodes"]
    named: dict[str, list[str]] = {}
    for node in tree:
        if not node.get("ignored"):
            named.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    assert named["heading"] == ["Integration operator", "Integrations", "Guards and circuits", "Kinds"]
    assert len(named["table"]) == 3
    for role in ("table", "textbox", "combobox", "button", "link", "region", "navigation", "columnheader"):
        assert all(named.get(role, ())), (role, named.get(role))
    assert named["textbox"] == ["Namespace"]
    assert await tab.evaluate("document.documentElement.lang") == "en"


async def test_a_page_that_breaks_the_policy_is_noticed(world: World, replicas: Replicas, tab: Tab) -> None:
    """The check of the checker: a style that the page does not have is refused, and said."""
    port = await serving(world, replicas)
    await tab.open(f"http://{HOST}:{port}/status")
    assert tab.complaints == []
    await tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p><img src=/x>')")
    await world.eventually("Chromium says so", lambda: complained(tab))


async def complained(tab: Tab) -> bool:
    return any("Content Security Policy" in str(complaint) for complaint in tab.complaints)
