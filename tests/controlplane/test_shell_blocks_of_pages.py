"""What a reader copies from a page works and prints what the page says; of a block that is not run, the page says why.

All pages have the same example: AddressSpace shop/orders, which allows the namespace fuse of Syndesis fuse/syndesis.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from integration_operator.domain.model.pair import Pair
from integration_operator_sandbox.controlplane import binaries
from tests.support.go_programs import BUILD_TIMEOUT
from tests.support.pages import COMMENT, ROOT, Block, Shell, blocks
from tests.support.world import World

PAGES = [
    "README.md",
    "sandbox/README.md",
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")),
]
TUTORIAL = "docs/tutorial.md"
"""Starts a control plane of its own."""
NAMESPACES = ("shop", "fuse", "apps")


def to_run(page: str) -> list[Block]:
    return [block for block in blocks(page) if not block.reason]


@pytest.mark.timeout(BUILD_TIMEOUT + 180)
@pytest.mark.parametrize("page", [page for page in PAGES if to_run(page) and page != TUTORIAL])
async def test_blocks_work(world: World, page: str, tmp_path: Path) -> None:
    shell = await asyncio.to_thread(Shell, tmp_path, KUBECONFIG=str(world.control_plane.kubeconfig()))
    await world.ensure_namespaces(*NAMESPACES)
    async with world.platforms(), world.operator():
        pair = Pair(await world.space("shop", allowed="fuse"), await world.syndesis("fuse"))
        await world.has_reason(pair, "NotEnabled")
        for block in to_run(page):
            await asyncio.to_thread(shell.run, block)


@pytest.mark.timeout(BUILD_TIMEOUT + 180)
def test_the_tutorial(tmp_path: Path) -> None:
    shell = Shell(tmp_path, XDG_CACHE_HOME=str(binaries.cache_entry().parents[2]))
    try:
        for block in to_run(TUTORIAL):
            shell.run(block)
    finally:
        shell.run(Block(TUTORIAL, 0, "console", "integration-operator-sandbox down --delete"))


@pytest.mark.parametrize("page", PAGES)
def test_each_comment_is_before_a_block(page: str) -> None:
    before = [comment for block in blocks(page) for comment in block.comments]
    assert COMMENT.findall((ROOT / page).read_text()) == before


@pytest.mark.parametrize("page", PAGES)
def test_a_block_has_one_reason_at_most_not_to_be_run(page: str) -> None:
    for block in blocks(page):
        reasons = [text for kind, text in block.comments if kind != "first: "]
        assert len(reasons) <= 1, f"{page}:{block.line}"
        for kind, text in block.comments:
            assert kind != "shown by " or re.fullmatch(r"tests/[\w/]+\.py::test_\w+", text), f"{page}:{block.line}"
