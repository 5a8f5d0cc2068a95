"""The display on a terminal, as a screen shows it."""
import re

from support import FOREIGN, HOST, expect, expect_equal, quick
from test_display import on_terminal
from tmux import Terminal


def terminal(case, *arguments, columns=80, rows=24, env=None, **options):
    return Terminal(case, case.command(*arguments, plain=False, **options), columns=columns, rows=rows, env=env)


def waits(text="echo waiting"):
    return "RUN %s; sleep 1000" % text


def many_stages(case, count):
    lines = []
    for i in range(count):
        lines += ["FROM busybox AS stage%d" % i, waits("echo begun %d" % i)]
    lines += ["FROM busybox"] + ["COPY --from=stage%d /bin/true /%d" % (i, i) for i in range(count)]
    case.dockerfile(*lines)


def cancel(screen):
    screen.keys("C-c")
    return screen.wait_for("[status ")


def headers(lines):
    return [line for line in lines if line.startswith("[+]")]


@quick
def test_a_running_step_has_its_last_lines_below_the_counts(case):
    case.dockerfile("FROM busybox", "RUN true", "RUN for i in 1 2 3 4 5 6 7 8; do echo line $i; done; sleep 1000")
    screen = terminal(case)
    screen.wait_for("line 8")
    lines = screen.steady()
    at = lines.index(headers(lines)[0])
    expect(lines[at].startswith("[+] Building T (3/4): 0 cached, 1 running, 0 waiting") or "1 running" in lines[at],
           lines)
    expect(re.match(r" => \[3/3\] RUN for i in .* T$", lines[at + 1]), lines)
    expect_equal(lines[at + 2:], [" => => # line %d" % i for i in range(3, 9)], "the last six lines")
    expect(any(re.match(r" => \[2/3\] RUN true +T$", line) for line in lines[:at]), "no finished step", lines)
    end = cancel(screen)
    expect("[status 130]" in end and not headers(end), "not cleared", end)
    expect(any("CANCELED [3/3]" in line for line in end), end)
    expect(not any("^C" in line for line in end), "the echo of Ctrl-C stays", end)


def test_what_does_not_fit_is_counted_and_nothing_gets_into_the_scrollback(case):
    many_stages(case, 20)
    screen = terminal(case, "--jobs", "30", columns=60, rows=10)
    lines = screen.wait_for(lambda lines: re.search(r"\+13 more", "\n".join(lines)))
    expect(len(lines) <= 9, lines)
    expect(all(len(line) < 60 for line in lines), lines)
    for _ in range(30):  # frames go by
        lines = screen.wait_for("more")
    everything = screen.screen(history=True)
    expect_equal(len(headers(everything)), 1, "\n".join(everything))
    cancel(screen)


def test_wide_characters_and_a_narrow_window(case):
    case.dockerfile("FROM busybox", "RUN echo 日本語日本語日本語日本語日本語日本語; : 日本語日本語日本語日本語; sleep 1000")
    screen = terminal(case, columns=30, rows=10)
    lines = screen.wait_for("# 日本語")
    expect(len(headers(lines)) == 1 and len(lines) == lines.index(headers(lines)[0]) + 3, "a row was folded", lines)
    cancel(screen)


@quick
def test_an_emulated_step_says_so(case):
    case.dockerfile("FROM busybox", waits())
    screen = terminal(case, platforms=(HOST, FOREIGN))
    lines = screen.wait_for(lambda lines: sum("# waiting" in line for line in lines) == 2)
    rows = [line for line in lines if "RUN echo" in line]
    expect(len(rows) == 2 and sum(" emulated " in line for line in rows) == 1, rows)
    expect(" emulated " in [row for row in rows if FOREIGN in row][0], rows)
    cancel(screen)


@quick
def test_the_summary_stands_below_the_steps(case):
    case.dockerfile("FROM busybox", "RUN true")
    screen = terminal(case, "-t", "app:1", "-o", "type=oci,dest=%s/app.tar" % case.dir, columns=120)
    lines = screen.wait_for("[status 0]")
    text = "\n".join(lines)
    expect(re.search(r" Built app:1 for %s in [\d.]+s\n   %s +[\d.]+MB  sha256:\w{12}\n   sha256:\w{64}\n" % (HOST, HOST),
                     text), text)
    expect("image written to %s/app.tar" % case.dir in text and "Next: mbuild verify" in text, text)
    expect(" 1 step run, 0 cached" in text, text)


PLAIN = ({"TERM": "dumb"}, {"NO_COLOR": ""}, {"NO_COLOR": "1"}, {"CI": "true"})


@quick
def test_terminals_that_want_plain_text(case):
    case.dockerfile("FROM busybox", "RUN echo hello")
    for env in PLAIN:
        lines = terminal(case, env=env).wait_for("[status 0]")
        expect(any(re.match(r"#\d+ [\d.]+ hello$", line) for line in lines) or
               any(re.match(r"#\d+ CACHED$", line) for line in lines), env, lines)
        expect(not headers(lines), env, lines)


def test_colours_can_be_chosen_and_left_out(case):
    case.dockerfile("FROM busybox", "RUN true")
    prefix = ["env", "-u", "CI", "-u", "NO_COLOR", "TERM=xterm", "BUILDKIT_COLORS=run=1,2,3"]
    drawn = on_terminal(case, prefix + case.command("--progress", "tty", plain=False))
    expect(b"\x1b[38;2;1;2;3m" in drawn and b"\x1b[34m" not in drawn, drawn)
    drawn = on_terminal(case, prefix + ["NO_COLOR=1"] + case.command("--progress", "tty", plain=False))
    expect(b"m => " not in drawn and b"\x1b[K" in drawn, drawn)


def test_as_many_lines_as_are_asked_for(case):
    case.dockerfile("FROM busybox", "RUN for i in 1 2 3 4 5; do echo line $i; done; sleep 1000")
    screen = terminal(case, env={"BUILDKIT_TTY_LOG_LINES": "2"})
    lines = screen.wait_for("line 5")
    expect(sum("# line" in line for line in lines) == 2, lines)
    cancel(screen)


def lines_of_frame(lines):
    """The rows of the frame that stands on the screen: from its header on."""
    return lines[[i for i, line in enumerate(lines) if line.startswith("[+]")][-1]:]


def test_a_window_of_any_size_that_becomes_another(case):
    case.dockerfile("FROM busybox", "RUN true", "RUN for i in $(seq 30); do echo line $i of a log that is as wide as "
                    "a window can be that is wide, and then some more so that it has to be cut; done; sleep 1000")
    screen = terminal(case, columns=120, rows=24)
    screen.wait_for("line 30")
    # Growing rows come from the scrollback, where tmux has put what it folded: after the folding ones there are none.
    sizes = ((120, 40), (60, 40), (30, 40), (100, 24), (45, 12), (250, 12), (80, 10), (25, 10), (120, 10))
    for columns, rows in sizes:
        screen.resize(columns, rows)
        lines = screen.wait_for(lambda lines: len(headers(lines)) == 1 and "# line 30" in lines[-1] and
                                max(map(len, lines_of_frame(lines))) in (columns - 1, columns - 2))
        expect(sum("# line 30" in line for line in lines) == 1, columns, rows, lines)
    everything = screen.screen(history=True)
    expect(len(headers(everything)) <= len(sizes), "\n".join(everything))
    cancel(screen)
