"""What a command that cannot do its work says, and the status that it ends with."""

from __future__ import annotations

import os
import signal

import pytest
from airflow.sdk.exceptions import ParamValidationError

from include.linking.parameters import LinkingParameters
from include.local_stack.ports import free_ports
from include.sources.builds import all_builds
from include.sources.generators import generate
from search_ops.forms import form
from tests.integration.cli.conftest import CommandLine
from tests.integration.runs import stamps, wait_for_shards


@pytest.mark.parametrize(
    ("stdin", "words"), [(b"\n \n", "There is no query"), (b"good\n\x83\x89\n", r"Query 2 cannot be used (not_utf8)")]
)
def test_search_refuses_what_is_no_query(command_line: CommandLine, stdin: bytes, words: str) -> None:
    assert words in command_line.run("search", "-", status=1, stdin=stdin)


def test_a_model_whose_vectors_do_not_follow_meaning_fails_the_check(command_line: CommandLine) -> None:
    swap = "from include.triton import check\ncheck.TRIPLES = {k: (t, f, n) for k, (t, n, f) in check.TRIPLES.items()}"
    said = command_line.run("check-model", status=1, before=swap)
    assert said.splitlines()[-1].startswith("check-model: The vectors of minilm do not follow meaning")
    assert "embsearch rollback model" in said


def test_what_cannot_succeed_ends_with_1_and_what_may_later_with_75(command_line: CommandLine) -> None:
    said = command_line.run("link", "--products", "/nowhere.txt", status=1)
    assert said.splitlines()[-1].startswith("link: Input file /nowhere.txt does not exist. Give another path")
    (port,) = free_ports(1)
    said = command_line.run("index-text", "--es-url", f"http://127.0.0.1:{port}", status=75)
    assert f"index-text: Elasticsearch at http://127.0.0.1:{port}" in said
    assert "ServiceUnavailable" in command_line.logs("index-text")[-1]
    said = command_line.run("check-model", "--kserve-url", f"http://127.0.0.1:{port}", status=75)
    assert "does not answer" in said
    both = f"{command_line.settings.kserve_url},http://127.0.0.1:{port}"
    said = command_line.run("check-model", "--kserve-url", both, status=75)
    assert f"minilm is not served by every server: see http://127.0.0.1:{port}." in said


def test_a_bad_parameter_ends_with_2_and_the_words_of_the_form(command_line: CommandLine) -> None:
    with pytest.raises(ParamValidationError) as by_form:
        form(LinkingParameters)["top_k"].resolve(1001)
    said = command_line.run("link", "--top-k", "1001", status=2)
    assert f"Invalid input for param top_k: {str(by_form.value).splitlines()[0]}\n" in said


def test_ctrl_c_says_how_to_go_on_and_the_same_command_repeats_no_finished_shard(command_line: CommandLine) -> None:
    products = list(generate("products", 200, language="en", seed=5))
    path = command_line.folder / "more_products.txt"
    path.write_text("\n".join(products), encoding="utf-8")
    index = command_line.settings.link_index + "-long"
    slowly = command_line.with_settings(link_shard_rows=4)
    command = ("link", "--products", str(path), "--index", index, "--workers", "1", "--batch-size", "2")

    first = slowly.start(*command)
    build = wait_for_shards(first, 10, lambda: all_builds(slowly.settings, "links", index), path)
    os.killpg(first.pid, signal.SIGINT)
    _, said = first.communicate(timeout=60)
    assert first.returncode == 130
    assert said.splitlines()[-1] == "link: interrupted. The same command goes on where this one stopped."
    finished = stamps(build)
    assert len(finished) < build.input.shards
    with slowly.client as client:
        assert not client.indices.exists(index=index)

    slowly.run(*command)
    after = stamps(build)
    assert {shard: after[shard] for shard in finished} == finished
    assert len(after) == build.input.shards
    with slowly.client as client:
        assert client.count(index=index)["count"] == len(products)
        for generation in client.indices.get(index=f"{index}__*"):
            client.indices.delete(index=generation)
