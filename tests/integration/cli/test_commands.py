"""What each command does, prints and logs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from include.elastic.bulk import BulkWriter
from include.elastic.documents import Document
from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import KEYWORD_MAPPING
from include.elastic.replay import dead_letter_folder
from include.local_stack.mariadb import OWNER
from include.settings import PROJECT_ROOT
from include.sources.generators import generate
from tests.integration.cli.conftest import KEYWORDS, PRODUCTS, CommandLine
from tests.integration.mariadb_server import PASSWORDS, MariadbDatabase
from tests.unit.test_parameters import DOCUMENTED

PROGRESS = re.compile(
    r"([\d,]+)/([\d,]+) \((\d+\.\d)%\) \| embed \d+ ms \| search \d+ ms \| bulk \d+ ms a batch \| "
    r"[\d,]+ products/s, now [\d,]+"
)


def test_generate_writes_as_many_unique_texts_as_asked_for(command_line: CommandLine) -> None:
    lines = (command_line.folder / "keywords.txt").read_text(encoding="utf-8").splitlines()
    assert lines == list(generate("keywords", KEYWORDS, language="en"))
    said = command_line.run("generate", "products", "--language", "xx", status=2)
    assert "choose en, ja or ko" in said


def test_index_vectors_again_takes_all_vectors_over_and_says_so(command_line: CommandLine) -> None:
    output = command_line.run("index-vectors", "--collection", "again")
    assert f"read {KEYWORDS} = written {KEYWORDS} + skipped (none) + dead 0" in output
    assert "\n0 vectors were taken over" in output
    output = command_line.run("index-vectors", "--collection", "again", "--batch_size", "32")
    assert f"\n{KEYWORDS} vectors were taken over" in output
    assert f"Log: {command_line.settings.log_dir}/index-vectors/index-vectors_" in output


def test_index_text_serves_every_keyword(command_line: CommandLine) -> None:
    output = command_line.run("index-text")
    assert f"{command_line.settings.keyword_index} serves {command_line.settings.keyword_index}__" in output
    assert "bulk" in output
    with command_line.client as client:
        assert client.count(index=command_line.settings.keyword_index)["count"] == KEYWORDS


def test_search_prints_the_best_keywords_of_each_query(command_line: CommandLine) -> None:
    keywords = list(generate("keywords", KEYWORDS, language="en"))
    one = command_line.run("search", keywords[5], "--top-k", "3")
    first = next(line for line in one.splitlines() if keywords[5] in line)
    assert re.search(rf"{keywords[5]} .*{keywords[5]} .*\b5\b.* 1\.0000", first)
    assert len(re.findall(r"\d\.\d{4}", one)) == 3
    both = command_line.run("search", keywords[5], "[/sale] bag :smile:", "--top-k", "2")
    assert len(re.findall(r"\d\.\d{4}", both)) == 4
    assert "[/sale] bag :smile:" in both
    lines = f"{keywords[5]}\r\n\n[/sale] bag :smile:\n".encode()
    assert command_line.run("search", "-", "--top-k", "2", stdin=lines) == both


def test_link_shows_samples_and_figures_and_logs_its_progress(command_line: CommandLine) -> None:
    before = len(command_line.logs("link")) if (command_line.settings.log_dir / "link").exists() else 0
    output = command_line.run("link", "--top-k", "5", "--batch-size", "16")
    assert f"read {PRODUCTS} = written {PRODUCTS} + skipped (none) + dead 0" in output
    assert all(stage in output for stage in ("embed", "search", "bulk", "publish", "wall"))
    assert "best keywords (score)" in output
    products = list(generate("products", PRODUCTS, language="en"))
    assert sum(product[:60] in output for product in products) == 10
    with command_line.client as client:
        assert client.count(index=command_line.settings.link_index)["count"] == PRODUCTS
    logs = command_line.logs("link")
    assert len(logs) == before + 1
    assert all(f"stage {number}/5: " in logs[-1] for number in range(1, 6))
    found = PROGRESS.findall(logs[-1])
    assert found[-1] == (str(PRODUCTS), str(PRODUCTS), "100.0")


def test_check_model_tells_what_is_served_and_how_fast(command_line: CommandLine) -> None:
    output = command_line.run("check-model")
    facts = [("model", "minilm"), ("live", "True"), ("ready", "True"), ("dimension", "384"), ("beside it", "none")]
    assert all(re.search(rf"│ {name} +│ {value} +│", output) for name, value in facts)
    assert re.search(r"│ one text, p50 +│ \d+\.\d ms", output)
    near, far = map(float, re.findall(r" ~ .*│ (\d\.\d{3})\b", output))
    assert near > far
    assert output.splitlines()[-1] == "near in meaning is near by vector"


def test_export_and_deploy_say_what_they_found_done(command_line: CommandLine) -> None:
    exported = command_line.run("export")
    assert f"exported to {command_line.settings.state_dir}/models/minilm/" in exported
    deployed = command_line.run("deploy")
    assert "minilm version 1 was served already (" in deployed
    assert float(deployed.split()[-1]) > 0.999
    assert "for param runtime" in command_line.run("deploy", "--runtime", "nosuch", status=2)
    said = command_line.run("rollback", "model", "--model", "clip_text", status=1)
    assert "Model clip_text was never deployed" in said
    assert "--model goes with" in command_line.run("rollback", "links", "--model", "minilm", status=2)
    said = command_line.run("export", "--model", "nosuch", status=1)
    assert said.splitlines()[-1].startswith("export: Unknown model 'nosuch'")


def test_the_commands_of_the_readme_work_as_they_stand_there(command_line: CommandLine) -> None:
    text = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = (block for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) if "embsearch export" in block)
    small = block.replace("8000", "200").replace("3000", "50").replace("data/", f"{command_line.folder}/readme/")
    assert small.count("--count 200 ") == small.count("--count 50 ") == 1
    index = f"readme-{command_line.settings.link_index}"
    own = command_line.with_settings(collection="readme", keyword_index=f"keywords-{index}", link_index=index)
    done = subprocess.run(
        ["sh", "-ec", small], cwd=PROJECT_ROOT, env=own.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "near in meaning is near by vector" in done.stdout
    assert f"{index} serves {index}__" in done.stdout
    found = done.stdout.rpartition("┃ query")[2].partition("└")[0]
    assert "waterproof hiking backpack" in found
    assert len(re.findall(r" \d\.\d{4} ", found)) == 10
    assert re.search(r"^hybrid +all +115 ", done.stderr, re.MULTILINE)
    with own.client as client:
        assert client.count(index=own.settings.keyword_index)["count"] == 200
        assert client.count(index=index)["count"] == 50


def test_a_small_bench_measures_every_stage_prints_a_table_and_writes_json(
    command_line: CommandLine, database: MariadbDatabase
) -> None:
    path = command_line.folder / "bench.json"
    mysql = database.settings(mysql_user=OWNER, mysql_password=PASSWORDS[OWNER])
    own = command_line.with_settings(
        **{name: getattr(mysql, name) for name in ("mysql_url", "mysql_user", "mysql_password")}
    )
    output = own.run("bench", "all", "--scale", "0.01", "--output", str(path))
    written = json.loads(path.read_text(encoding="utf-8"))
    assert (written["scale"], written["machine"]["cores"]) == (0.01, os.cpu_count())
    names = [figure["name"] for figure in written["figures"]]
    stages = (
        "embed over Triton",
        "search, CPU",
        "search, recall",
        "upsert",
        "bulk: flat",
        "bulk: products",
        "whole",
        "peak",
        "playlist cache",
        "vectors from MySQL",
        "increment",
    )
    assert all(any(name.startswith(stage) for name in names) for stage in stages)
    for figure in written["figures"]:
        assert figure["ours"] > 0
        assert figure["ratio"] == pytest.approx(figure["ours"] / figure["baseline"])
        row = next(line for line in output.splitlines() if figure["name"] in line)
        assert f" {figure['ratio']:.2f} " in row
        assert (" yes " in row) == bool(figure["reached"])
    assert f"JSON: {path}" in output
    assert "bench" in "".join(command_line.logs("bench"))
    with command_line.client as client:
        assert not client.indices.get(index="bench-*")


def test_replay_shows_dead_letters_and_sends_them_when_told_to(command_line: CommandLine) -> None:
    index = "with-letters__dead"
    with command_line.client as client:
        generations = IndexGenerations(client, "with-letters")
        generations.create(index, KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=False)
        generations.promote(index)
        folder = dead_letter_folder(command_line.settings)
        writer = BulkWriter(client, index, run_id="a-run", dead_letters=folder)
        writer.write(Document(str(n), {"keyword": "red", "keyword_id": n, "colour": "red"}) for n in range(3))
        shown = command_line.run("replay")
        assert "3 dead letters, nothing was sent" in shown
        assert re.search(r"a-run .*\b3\b.*strict_dynamic_mapping", shown)
        assert generations.count(index) == 0
        client.indices.put_mapping(index=index, properties={"colour": {"type": "keyword"}})
        sent = command_line.run("replay", "--no-dry-run", "--run", "a-run")
        assert "Sent 3: indexed 3, skipped (none), dead again 0" in sent
        assert generations.count(index) == 3
    assert command_line.run("replay") == "There are no dead letters.\n"
    assert "has no dead letters" in command_line.run("replay", "--run", "another", status=1)


def test_help_lists_the_documented_names_and_defaults() -> None:
    code = (
        "from include.settings import Settings\nSettings.model_config['env_file'] = None\n"
        "from include.cli.main import main\nmain()"
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("EMBSEARCH_")}
    done = subprocess.run(
        [sys.executable, "-c", code, "link", "--help"],
        cwd=PROJECT_ROOT, env=bare, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = " ".join(done.stdout.split())
    for name, default in DOCUMENTED.items():
        spelt = ", ".join(dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}")))
        kind = "INTEGER" if isinstance(default, int) else "STRING"
        assert re.search(rf" {spelt} {kind} (?:(?! --).)*? Default: {re.escape(str(default))}\. --", said), name
