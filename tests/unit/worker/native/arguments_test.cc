#include "worker/native/arguments.h"

#include <string>
#include <vector>

#include "tests/catch.h"

using namespace mbuild::executor;

TEST_CASE("numbers are compared as the platform does", "[native]") {
  CHECK(needs_emulation("sort", {"-g"}));
  CHECK(needs_emulation("sort", {"-rg", "file"}));
  CHECK(needs_emulation("sort", {"-k", "1,1g"}));
  CHECK(needs_emulation("sort", {"--sort=general-numeric"}));
  CHECK(!needs_emulation("sort", {"-k1,1nr", "-t:", "/etc/group"}));
}

TEST_CASE("awk that calculates is the platform's own") {
  for (const char* text :
       {"{ print $1 / $2 }", "{ s += $1 } END { print s }", "{ print $1 - $2 }", "BEGIN { print log(-1) }",
        "{ print 2 ^ n }", "{ x = y * 2 }", "{ print 7 % n }", "{ print (a) / b }", "{ n -= $1 }",
        "/a/ { print \"/\", n / 2 }", "{ print 'x' }", "BEGIN { print rand() }"}) {
    INFO(text);
    CHECK(needs_emulation("mawk", {"-F", ":", text, "file"}));
  }
  for (const char* text :
       {"{ print $1 }", "/^a\\/b+*/ { print $2, -1 }", "$3 > 5 && !/x-y/", "{ for (i = 1; i <= NF; i++) n++ }",
        "{ print substr($0, index($0, \":\") + 1), NF - 1, \"a/b\" } # 1 / 2", "{ n += 2 } END { print n-1 }",
        "{ sub(/a\\/b/, \"*\"); print -x, $NF }", "NR == 1 { printf \"%5d\\n\", $1; exit }"}) {
    INFO(text);
    CHECK(!needs_emulation("mawk", {"-F:", "-v", "x=1", text, "file"}));
  }
  CHECK(needs_emulation("mawk", {"-f", "program.awk"}));
  CHECK(needs_emulation("mawk", {"-W", "version"}));
}

TEST_CASE("awk that may write a negative number without a sign is the platform's own") {
  for (const char* text :
       {"{ printf \"%x\", $1 }", "{ printf(\"%s %-08.3X\\n\", $1, $2) }", "{ print sprintf(\"%u\", n) }",
        "{ printf f, $1 }", "{ printf \"%5\" f, $1 }", "{ printf \"%s\" f }", "{ printf \"%\" \"o\", $1 }",
        "{ printf $1 }", "{ printf", "{ printf \"%x", "BEGIN { OFMT = \"%d\" } { print $1 }", "{ CONVFMT = f }"}) {
    INFO(text);
    CHECK(needs_emulation("mawk", {text}));
  }
  CHECK(needs_emulation("mawk", {"-v", "OFMT=%d", "{ print $1 }"}));
  for (const char* text : {"{ printf \"%5d%% of %s\\n\", $1, \"%x\" }", "{ printf(\"a \\\"\" \"%c\", $1) > \"f\" }",
                           "{ printf \"\" }", "{ x = sprintf(\"%s\", $1); printf(\"%-*s\", 5, x) }",
                           "{ printf \"%g\\n\", $1 | \"sort\" }", "/%x/ { print \"%u\" }"}) {
    INFO(text);
    CHECK(!needs_emulation("mawk", {text}));
  }
}

TEST_CASE("ranges of characters beyond ASCII are those of the platform") {
  CHECK(needs_emulation("dash", {"-c", "case $x in [a-\xc3\xa9]) echo yes;; esac"}));
  CHECK(!needs_emulation("dash", {"-c", "case $x in [a-z]*) echo \xc3\xa9-\xc3\xa9;; esac"}));
}

TEST_CASE("characters beyond ASCII that a program takes for numbers are those of the platform") {
  CHECK(needs_emulation("split", {"-t", "\xe9", "file"}));
  CHECK(needs_emulation("split", {"--separator=\xe9"}));
  CHECK(!needs_emulation("split", {"-t:", "-b", "100k", "file", "prefix-"}));
  CHECK(needs_emulation("git", {"commit-graph", "write", "--changed-paths"}));
  CHECK(needs_emulation("git", {"-C", "/src", "gc"}));
  CHECK(needs_emulation("git", {"log", "--", "\xc3\xa9"}));
  CHECK(!needs_emulation("git", {"log", "--", "e"}));
  CHECK(needs_emulation("sed", {"-n", "--debug", "p"}));
  CHECK(!needs_emulation("sed", {"-n", "--expression=s/\xc3\xa9/--debug/"}));
}

TEST_CASE("xz tells of its own memory", "[native]") {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"-lvv", "a.xz"}, {"--list", "a.xz"}, {"-v", "-k", "-v"}, {"-kvv"}, {"--verbose", "--verbose"}}) {
    CHECK(needs_emulation("xz", arguments));
  }
  CHECK(!needs_emulation("xz", {"-9e", "-T0", "-v", "--lzma2=dict=1MiB", "-c", "list"}));
}

TEST_CASE("what tells of its own architecture is asked itself", "[native]") {
  CHECK(needs_emulation("dpkg-deb", {"--version"}));
  CHECK(!needs_emulation("dpkg-deb", {"--build", "x"}));
  CHECK(needs_emulation("dpkg", {"--version"}));
  CHECK(needs_emulation("dpkg", {"--compare-versions", "1\xc3\xb6", "lt", "1+"}));
  CHECK(!needs_emulation("dpkg", {"--print-architecture"}));
  CHECK(needs_emulation("git", {"version", "--build-options"}));
  CHECK(needs_emulation("git", {"version", "--b"}));
  CHECK(needs_emulation("git", {"-C", "/src", "bugreport"}));
  CHECK(needs_emulation("scalar", {"diagnose"}));
  CHECK(!needs_emulation("git", {"--version"}));
  CHECK(!needs_emulation("git", {"branch", "--b", "x"}));
  CHECK(needs_emulation("ld.bfd", {"-V"}));
  CHECK(needs_emulation("cc1", {"-version"}));
  CHECK(!needs_emulation("tar", {"--version"}));
}

TEST_CASE("apt's help and version tell of its architecture", "[native]") {
  using Words = std::vector<std::string>;
  for (const auto& arguments : {Words{},
                                {"-qq"},
                                {"-o", "a=b"},
                                {"-y", "-o", "a=b", "-c", "file"},
                                {"help"},
                                {"-h"},
                                {"--help", "install"},
                                {"-qv", "install"},
                                {"--version"},
                                {"-o", "Version=1", "x"}}) {
    CAPTURE(arguments);
    CHECK(needs_emulation("apt-get", arguments));
  }
  for (const auto& arguments : {Words{"update"},
                                {"-qq", "-o", "Dpkg::Use-Pty=0", "install", "-y", "g++"},
                                {"-oAcquire::http::Proxy=x", "-tsid", "install", "vhs"},
                                {"install", "-y", "debhelper", "version-x"}}) {
    CAPTURE(arguments);
    CHECK(!needs_emulation("apt-get", arguments));
  }
  CHECK(!needs_emulation("http", {}));  // a method of apt's
}

TEST_CASE("applets of busybox are known by their words", "[native]") {
  using Words = std::vector<std::string>;
  for (const auto& words : {Words{"/bin/sh", "-c", "true"},
                            {"-ash"},
                            {"busybox", "cat", "--help"},
                            {"cat", "/proc/1/x"},
                            {"/bin/busybox", "sh"},
                            {"awk", "{ print $1 }"},
                            {"sort", "-n"},
                            {"busybox.static", "ls"}}) {
    CAPTURE(words);
    CHECK(!needs_emulated_busybox(words));
  }
  for (const auto& words : {Words{},
                            {""},
                            {"busybox"},
                            {"busybox", "--install", "-s"},
                            {"/bin/busybox", ""},
                            {"uname"},
                            {"busybox", "uname", "-m"},
                            {"/usr/bin/seq", "3"},
                            {"awk", "{ s += $1 }"},
                            {"sort", "-g"}}) {
    CAPTURE(words);
    CHECK(needs_emulated_busybox(words));
  }
}

TEST_CASE("busybox's awk is native where it converts no numbers", "[native]") {
  for (const char* text : {"{ print $1 }", "NR == 2 && /a-b/ { print $NF; next } END { print \"1+1\", NR }",
                           "BEGIN { FS = \":\" } $3 > 999 { gsub(/x/, \"-\"); print toupper($1), length($2) }"}) {
    INFO(text);
    CHECK(!needs_emulated_busybox({"awk", "-F:", text, "file"}));
  }
  for (const char* text : {"{ printf \"%d\", $1 }", "{ print $1+0 }", "{ print int($1) }", "{ print substr($1, $2) }",
                           "{ n[$1]++ }", "{ print $n }", "{ x = $1; print x }", "{ print and($1, 7) }", "{ exit $1 }",
                           "{ print 12345678901 }", "{ print -$1 }", "{ print $1 / 2 }"}) {
    INFO(text);
    CHECK(needs_emulated_busybox({"awk", text}));
  }
  CHECK(needs_emulated_busybox({"awk", "-f", "program.awk"}));
  CHECK(needs_emulated_busybox({"busybox", "busybox", "uname", "-m"}));
}

TEST_CASE("apk tells of its architecture", "[native]") {
  CHECK(!needs_emulation("apk", {"add", "--no-cache", "-t", ".build", "gcc"}));
  CHECK(!needs_emulation("apk", {"-U", "upgrade"}));
  CHECK(needs_emulation("apk", {}));
  CHECK(needs_emulation("apk", {"--print-arch"}));
  CHECK(needs_emulation("apk", {"--version"}));
  CHECK(needs_emulation("apk", {"add", "--arch=armv7", "x"}));
  CHECK(needs_emulation("apk", {"--no-cache", "-p", "/root", "add", "x"}));
  CHECK(needs_emulation("apk", {"-Up", "/root", "add", "x"}));
  CHECK(needs_emulation("apk", {"--ro", "/root", "add", "x"}));
  CHECK(!needs_emulation("apk", {"add", "--repository", "http://example.org", "--virtual", ".x", "--purge", "y"}));
}

TEST_CASE("files in the order of a hash of their names are in that of the platform", "[native]") {
  CHECK(needs_emulation("dpkg", {"-S", "/usr/share/*"}));
  CHECK(needs_emulation("dpkg-query", {"--search", "sh"}));
  CHECK(!needs_emulation("dpkg-query", {"-W", "-f", "${Version}"}));
  CHECK(!needs_emulation("dpkg", {"--status-fd", "12", "--no-triggers", "--unpack", "x.deb"}));
}

TEST_CASE("the state of a compiler, and what is loaded into it, is its own", "[native]") {
  for (const char* name : {"cc1", "cc1plus", "lto1"}) {
    CHECK(!needs_emulation(name, {"-quiet", "a.c", "-O2", "-o", "a.s"}));
    CHECK(needs_emulation(name, {"-quiet", "-fplugin=/x.so", "a.c"}));
    CHECK(needs_emulation(name, {"-quiet", "-finput-charset=latin1", "a.c"}));
    CHECK(needs_emulation(name, {"-quiet", "a.h", "--output-pch", "a.h.gch"}));
    CHECK(needs_emulation(name, {"-fmodules-ts"}));
    CHECK(needs_emulation(name, {"@arguments"}));
  }
  CHECK(!needs_emulation("ld.bfd", {"-plugin", "/usr/libexec/gcc/x/14/liblto_plugin.so", "-plugin-opt=x"}));
  CHECK(needs_emulation("ld.bfd", {"-plugin", "/one.so", "-plugin", "/two.so"}));
  CHECK(needs_emulation("ld.bfd", {"--plugin", "/one.so"}));
  CHECK(needs_emulation("ld.bfd", {"@arguments"}));
}
