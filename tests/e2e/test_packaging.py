"""What packages are made of: see tests/packages for the packages themselves."""
import gzip
import os
import re

from support import expect, expect_equal, quick
from test_docker_scripts import printed


@quick
def test_manual_pages_and_completion_for_a_package(case):
    documents = os.path.join(case.dir, "documents")
    case.check(os.path.join(case.top, "packaging", "documents"), os.path.abspath(case.mbuild), documents)
    sections = re.findall(r'(?m)^\.SH "MBUILD (.*)"$', printed(case, "man")[1].replace("\\-", "-"))
    pages = {"mbuild.1.gz"} | {"mbuild-%s.1.gz" % "-".join(s.lower().split()) for s in sections}
    expect_equal(set(os.listdir(os.path.join(documents, "man1"))), pages)
    expect("mbuild-imagetools-create.1.gz" in pages, pages)
    for page in pages:
        with gzip.open(os.path.join(documents, "man1", page), "rt") as f:
            expect(f.read().replace("\\-", "-").startswith('.TH "%s" 1' % page[:-5].upper()), page)
    for name in ("bash/mbuild", "zsh/_mbuild", "fish/mbuild.fish"):
        expect(os.path.getsize(os.path.join(documents, name)) > 1000, name, "is empty")


@quick
def test_the_profile_of_apparmor_is_for_where_the_program_is(case):
    with open(os.path.join(case.top, "packaging", "apparmor")) as f:
        profile = f.read()
    expect(re.search(r"(?m)^  userns,$", profile) and "profile mbuild /usr/{,local/}bin/mbuild " in profile, profile)
