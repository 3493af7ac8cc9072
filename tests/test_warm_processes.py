"""Processes that are forked are like those that are started."""

import os
import signal
import subprocess
import sys

import pytest
import warm_processes

TELL = """
import os, sys
print(sys.argv, os.getcwd(), os.environ["COLOUR"], os.getppid(), os.getsid(0) == os.getpid(), sys.stdin.read())
sys.stderr.write("and")
sys.exit({})
"""
WARM = "import sys; print('lightning' in sys.modules)"


@pytest.fixture(params=["started", "forked"])
def how(request: pytest.FixtureRequest) -> str:
    if request.param == "forked":
        request.getfixturevalue("forked")
    return request.param


@pytest.fixture
def forked(warm_server):
    with warm_processes.warm(warm_server):
        yield


@pytest.mark.parametrize(("status", "code", "said"), [("", 0, "and"), ("7", 7, "and"), ("'enough'", 1, "andenough\n")])
@pytest.mark.parametrize("new_session", [True, False])
def test_words_folder_environment_pipes_session_and_exit_status(how, tmp_path, status, code, said, new_session):
    words = [sys.executable, "-c", TELL.format(status), "one", "two"]
    environment = {"COLOUR": "red", "PATH": os.environ["PATH"]}
    options = {"cwd": tmp_path, "env": environment, "start_new_session": new_session}
    done = subprocess.run(words, input="in", capture_output=True, text=True, **options)
    assert done.stdout == f"['-c', 'one', 'two'] {tmp_path} red {os.getpid()} {new_session} in\n"
    assert (done.returncode, done.stderr) == (code, said)


def test_it_is_where_its_starter_is(how, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [sys.executable, "-c", "import os; print(os.getcwd())"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == f"{tmp_path}\n"


def test_modules_and_files_are_run_too(how, tmp_path):
    (tmp_path / "beside.py").write_text("colour = 'red'\n")
    (tmp_path / "script.py").write_text("import sys, beside\nprint(beside.colour, sys.argv[1:], __name__)\n")
    for words, cwd in (([tmp_path / "script.py"], "/"), (["-m", "script"], tmp_path)):
        done = subprocess.run([sys.executable, *words, "a"], cwd=cwd, capture_output=True, text=True, check=True)
        assert done.stdout == "red ['a'] __main__\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_signals_end_it(how, number):
    words = [sys.executable, "-c", "print('here', flush=True); import time; time.sleep(60)"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "here\n" and process.poll() is None
        os.kill(process.pid, number)
    assert process.returncode == -number


def test_a_traceback_and_what_runs_at_the_end(how):
    code = "import atexit; atexit.register(print, 'at the end'); 1 / 0"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "at the end\n")
    assert done.stderr.startswith("Traceback") and done.stderr.endswith("ZeroDivisionError: division by zero\n")


POOLED = f"""
import multiprocessing
process = multiprocessing.get_context("forkserver").Process(target=exec, args=[{WARM!r}])
process.start()
process.join()
"""


def test_it_has_lightning_and_so_has_what_it_starts(forked):
    starting = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WARM!r}], check=True)"
    for code in (WARM, starting, POOLED):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.parametrize("code", ["1 / 0", "import sys; sys.stdout.close()", POOLED, WARM])
def test_what_it_is_in_the_middle_of_is_its_own(how, code):
    """And not ended by what it starts, whatever happens there."""
    starting = """
import os, subprocess, sys
try:
    subprocess.run([sys.executable, "-c", sys.argv[1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
finally:
    print(os.getpid(), flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", starting, code], stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate()
    assert (process.returncode, out) == (0, f"{process.pid}\n")


def test_descriptors_are_not_inherited(forked, tmp_path):
    """A lock must end with the process that has it."""
    code = "import subprocess, sys\nfile = open('held', 'w')\nsubprocess.run([sys.executable, '-c', sys.argv[1]])"
    listed = "import os; print(sorted(os.path.realpath(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')))"
    done = subprocess.run(
        [sys.executable, "-c", code, listed], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "pipe" in done.stdout and str(tmp_path / "held") not in done.stdout


def test_other_programs_are_started_as_ever(forked):
    assert subprocess.run(["echo", "one"], capture_output=True, text=True, check=True).stdout == "one\n"
    assert subprocess.run([sys.executable, "-I", "-c", WARM], capture_output=True, text=True).stdout == "False\n"
