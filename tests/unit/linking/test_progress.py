import re
from concurrent.futures import ThreadPoolExecutor

from include.linking.progress import BatchTimes, Progress


def progress(total: int, *, done: int = 0, seconds: float = 0.0) -> tuple[Progress, list[str]]:
    lines: list[str] = []
    return Progress(total, done=done, seconds=seconds, report=lines.append), lines


def test_a_line_tells_rows_share_stage_times_and_rates() -> None:
    one, lines = progress(1200)
    one.add(BatchTimes(300, 0.1, 0.2, 0.3))
    one.add(BatchTimes(300, 0.3, 0.4, 0.5))
    assert lines[0].startswith("300/1,200 (25.0%) | embed 100 ms | search 200 ms | bulk 300 ms a batch | ")
    assert lines[1].startswith("600/1,200 (50.0%) | embed 200 ms | search 300 ms | bulk 400 ms a batch | ")
    assert re.search(r"\| [\d,]+ products/s, now [\d,]+$", lines[1])


def test_lines_are_rare_but_the_last_one_always_comes() -> None:
    one, lines = progress(100, seconds=3600)
    for _ in range(10):
        one.add(BatchTimes(10, 0, 0, 0))
    assert [line.split(" |")[0] for line in lines] == ["100/100 (100.0%)"]


def test_rows_done_before_count_for_the_share_but_not_for_the_rate() -> None:
    one, lines = progress(1_000_000, done=999_990)
    one.add(BatchTimes(5, 0, 0, 0))
    one._began -= 10
    one._last_time -= 1
    one.add(BatchTimes(5, 0, 0, 0))
    assert lines[-1].startswith("1,000,000/1,000,000 (100.0%)")
    assert lines[-1].endswith(" | 1 products/s, now 5")


def test_batches_of_several_threads_are_all_counted() -> None:
    one, lines = progress(8000, seconds=3600)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: one.add(BatchTimes(10, 0.001, 0, 0)), range(800)))
    assert lines == [lines[0]]
    assert lines[0].startswith("8,000/8,000 (100.0%) | embed 1 ms")
