"""The MCP server, driven by the official client over stdio and HTTP."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from medkg_lab import Lab
from tests.integration.reach.servers import Served, served

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio]
READING = {"search", "passage", "graph_node", "graph_path", "graph_statements", "job_status", "gates"}
WRITING = {"open_gate", "reject_gate", "retry_job"}


@pytest.fixture(scope="module")
def api(lab: Lab) -> Iterator[Served]:
    with served(lab, "--mcp") as one:
        yield one


@asynccontextmanager
async def by_stdio(lab: Lab, *options: str) -> AsyncIterator[Client]:
    arguments = ["-m", "medkg_lab.cli.main", "mcp", "--home", str(lab.home), *options]
    async with Client(stdio_client(StdioServerParameters(command=sys.executable, args=arguments))) as client:
        yield client


@asynccontextmanager
async def by_http(api: Served, scope: str) -> AsyncIterator[Client]:
    async with httpx2.AsyncClient(headers=api.header(scope)) as sender:
        async with Client(streamable_http_client(f"{api.url}/mcp/", http_client=sender)) as client:
            yield client


async def names(client: Client) -> set[str]:
    return {one.name for one in (await client.list_tools()).tools}


async def ask(client: Client, tool: str, **arguments: Any) -> Any:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    return answer.structured_content


async def test_a_client_searches_reads_and_walks(lab: Lab) -> None:
    async with by_stdio(lab) as client:
        hit = (await ask(client, "search", query="apixaban bleeding dialysis"))["result"][0]
        passage = await ask(client, "passage", chunk_id=hit["chunk_id"])
        assert passage["doc_id"] == hit["doc_id"]
        around = await ask(client, "graph_node", node="Apixaban")
        other = around["neighbours"][0]["node"]["node_id"]
        assert (await ask(client, "graph_path", source="Apixaban", target=other))["hops"] == 1
        assert (await ask(client, "job_status", job="NCT90000001"))["state"] == "completed"
        assert [one["missing_pages"] for one in (await ask(client, "gates"))["result"]] == [[3]]


async def test_nothing_that_changes_the_lab_is_there_by_default(lab: Lab) -> None:
    async with by_stdio(lab) as client:
        tools = (await client.list_tools()).tools
        assert {one.name for one in tools} == READING
        assert all(one.annotations is not None and one.annotations.read_only_hint for one in tools)
    async with by_stdio(lab, "--writes") as client:
        assert await names(client) == READING | WRITING


async def test_what_the_lab_refuses_is_told_to_the_client(lab: Lab) -> None:
    async with by_stdio(lab) as client:
        answer = await client.call_tool("job_status", {"job": "no-such-job"})
        assert answer.is_error
        assert "medkg-lab jobs list" in str(answer.content)


async def test_over_http_the_tokens_scope_decides_which_tools_there_are(api: Served) -> None:
    async with by_http(api, "admin:read") as client:
        assert await names(client) == READING
        assert (await ask(client, "search", query="metformin", limit=2))["result"]
    async with by_http(api, "admin:write") as client:
        assert await names(client) == READING | WRITING
    async with httpx.AsyncClient() as stranger:
        assert (await stranger.post(f"{api.url}/mcp/", json={})).status_code == 401
