"""The examples that need no network build as they stand."""
import os

from support import BOTH, MACHINE, expect, expect_equal, quick


@quick
def test_busybox_script(case):
    build = case.build(platforms=BOTH, context=os.path.join(case.top, "examples", "busybox-script"))
    for name in BOTH:
        expect(MACHINE[name] in build.file("built-on", name), build.file("built-on", name))


def test_web_static(case):
    build = case.build(platforms=BOTH, context=os.path.join(case.top, "examples", "web-static"))
    layers = [build.layers(name)[-1] for name in BOTH]
    expect_equal(layers[0], layers[1], "one COPY gives one layer for all platforms")
    expect("srv/www/index.html" in build.tree(), "no page")
