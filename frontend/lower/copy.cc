#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/strings.h"
#include "frontend/lower/lint.h"
#include "frontend/lower/state.h"
#include "frontend/lower/text.h"
#include "graph/git_ref.h"

// COPY and ADD: one file node with a copy for each source, in order; what the sources are decides what is read:
// the build context, a stage or image, a URL, a git repository, or a heredoc (a file of its own, copied like any other,
// so that an existing directory as destination, parents, --chown and --chmod mean the same for it).
namespace mbuild::frontend::lowering {
namespace {

// The words of one instruction after expansion.
struct CopyWords {
  std::vector<std::string> paths;
  std::vector<dockerfile::Heredoc> heredocs;
  std::string destination, chown, chmod, checksum;
};

CopyWords expand_words(Lowering& lowering, const Stage& stage, const Step& step,
                       const dockerfile::CopyInstruction& copy) {
  const auto expand = [&](const std::string& word) { return expand_word(lowering, stage, step, word); };
  CopyWords words;
  words.chown = expand(copy.chown);
  words.chmod = expand(copy.chmod);
  words.checksum = expand(copy.checksum);
  for (const dockerfile::CopySource& source : copy.sources) {
    if (!source.heredoc) words.paths.push_back(expand(source.path));
  }
  words.destination = expand(copy.destination);
  for (const dockerfile::CopySource& source : copy.sources) {
    if (!source.heredoc) continue;
    words.heredocs.push_back(*source.heredoc);
    std::string& body = words.heredocs.back().content;
    if (source.heredoc->expand) body = expand_body(lowering, stage, step, body);
  }
  return words;
}

Error octal_error(const std::string& chmod) {
  return usage_error(
      fmt::format("invalid chmod parameter: '{}'. it should be octal string and between 0 and 07777", chmod));
}

// [ugoa...][[+-=][perms...]...],... of chmod(1).
bool is_symbolic_mode(std::string_view text) {
  for (const std::string& clause : split(text, ',')) {
    std::string_view rest = clause;
    rest.remove_prefix(std::min(rest.find_first_not_of("ugoa"), rest.size()));
    if (rest.empty()) return false;
    while (!rest.empty()) {
      if (rest.front() != '+' && rest.front() != '-' && rest.front() != '=') return false;
      rest.remove_prefix(1);
      rest.remove_prefix(std::min(rest.find_first_not_of("rwxXstugo"), rest.size()));
    }
  }
  return true;
}

void check_chmod(const std::string& chmod) {
  if (chmod.empty()) return;
  std::uint32_t mode = 0;
  const auto [end, code] = std::from_chars(chmod.data(), chmod.data() + chmod.size(), mode, 8);
  const bool octal = code == std::errc() && end == chmod.data() + chmod.size();
  if (octal && mode <= 07777) return;
  if (octal || (chmod.front() >= '0' && chmod.front() <= '9')) throw octal_error(chmod);
  if (!is_symbolic_mode(chmod)) {
    throw usage_error(fmt::format("invalid chmod parameter: '{}': invalid syntax", chmod))
        .with_advice("give an octal mode such as 0644, or symbolic ones such as u+x,go-w");
  }
}

void check_checksum(const CopyWords& words) {
  if (words.checksum.empty()) return;
  if (words.paths.size() + words.heredocs.size() != 1) {
    throw usage_error("checksum can't be specified for multiple sources");
  }
  const std::string source = words.paths.empty() ? "" : words.paths.front();
  if (parse_git_ref(source)) return;
  if (!graph::is_http_address(source)) throw usage_error("checksum requires HTTP(S) or Git sources");
  if (is_sha256_digest(words.checksum)) return;
  const std::size_t colon = words.checksum.find(':');
  if (colon == std::string::npos) throw usage_error("invalid checksum digest format: " + words.checksum);
  if (words.checksum.substr(0, colon) != "sha256") {
    throw usage_error("unsupported digest algorithm: " + words.checksum.substr(0, colon));
  }
  const bool long_enough = words.checksum.size() == std::string_view("sha256:").size() + 64;
  throw usage_error(fmt::format("invalid checksum digest {}: {}", long_enough ? "format" : "length", words.checksum));
}

// Absolute; a trailing '/' says that it is a directory, as "/", "/." and "." at the end do in the Dockerfile.
std::string destination_path(const State& state, const std::string& written) {
  const bool directory = written.empty() || written == "." || written.ends_with('/') || written.ends_with("/.");
  std::string path = join_path(working_directory(state), written);
  if (directory && path != "/") path += '/';
  return path;
}

// --parents: what stands before the first "/./" is not kept.
std::string source_below_pivot(const std::string& source) {
  const std::size_t pivot = source.find("/./");
  if (pivot == std::string::npos) return join_path("/", source);
  const std::string parent = join_path("/", source.substr(0, pivot));
  const std::string rest = join_path("/", source.substr(pivot + 3));
  return (parent == "/" ? "" : parent) + "/." + rest;
}

class CopyLowering {
 public:
  CopyLowering(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::CopyInstruction& copy)
      : lowering_(lowering),
        stage_(stage),
        step_(step),
        copy_(copy),
        words_(expand_words(lowering, stage, step, copy)) {}

  void run() {
    check_chmod(words_.chmod);
    check_checksum(words_);
    destination_ = destination_path(stage_.state, words_.destination);
    linked_ = copy_.link && words_.chmod.empty();
    base_ = linked_ ? std::nullopt : stage_.state.root;
    info_ = step_info(lowering_, stage_, step_, shown_text(lowering_, stage_, *step_.instruction));
    input_index(node_, base_);
    for (const std::string& path : words_.paths) add_source(path);
    for (const dockerfile::Heredoc& heredoc : words_.heredocs) add_heredoc(heredoc);
    finish();
    append_history(lowering_, stage_, history(), false);
  }

 private:
  // A copy with all that the instruction's flags say. The epoch is none of its business: a new one, as of the next
  // commit, leaves copies and what runs on them cached.
  graph::FileAction action() const {
    graph::FileAction action;
    action.destination = destination_;
    action.owner = words_.chown;
    action.mode = words_.chmod;
    action.make_parents = true;
    action.exclude = copy_.exclude;
    action.link = linked_;
    return action;
  }

  // A copy of one file, or of a whole tree, that the builder itself put there: its path is taken as it is.
  void add_literal(const graph::Ref& from, std::string path) {
    graph::FileAction literal = action();
    literal.secondary = input_index(node_, from);
    literal.source = std::move(path);
    literal.allow_wildcard = literal.allow_empty_wildcard = false;
    actions_.push_back(std::move(literal));
  }

  void add_source(const std::string& path) {
    if (const auto git = parse_git_ref(path); git && !git->looks_local) {
      add_git(*git);
    } else if (graph::is_http_address(path)) {
      add_url(path);
    } else {
      add_path(path);
    }
  }

  void add_git(GitRef git) {
    if (!copy_.add) throw usage_error("source can't be a git ref for COPY");
    if (copy_.keep_git_dir && git.keep_git_dir && *copy_.keep_git_dir != *git.keep_git_dir) {
      throw usage_error("inconsistent keep-git-dir configuration");
    }
    if (!git.keep_git_dir) git.keep_git_dir = copy_.keep_git_dir;
    if (!words_.checksum.empty() && !git.checksum.empty() && words_.checksum != git.checksum) {
      throw usage_error(fmt::format("checksum mismatch {} != {}", go_quote(words_.checksum), go_quote(git.checksum)));
    }
    if (git.checksum.empty()) git.checksum = words_.checksum;
    add_literal(add_remote(git_source(git)), "/");
  }

  void add_url(const std::string& url) {
    if (!copy_.add) throw usage_error("source can't be a URL for COPY");
    const std::string name = graph::http_file_name(url);
    add_literal(add_remote(graph::HttpSource{.url = url, .checksum = words_.checksum, .filename = name}), "/" + name);
    actions_.back().unpack = copy_.unpack.value_or(false);
  }

  graph::Ref add_remote(graph::SourceOp source) {
    graph::NodeInfo info = info_;
    return add_node(lowering_, graph::Node{std::move(source), {}, std::nullopt}, std::move(info));
  }

  void add_path(const std::string& path) {
    graph::FileAction copy = action();
    if (step_.sources.empty()) {
      check_ignored_source(lowering_, stage_, step_, copy_.add, path);
      copy.secondary = input_index(node_, main_context(lowering_));
    } else {
      read_stage(lowering_.stages[step_.sources.front()], copy);
    }
    copy.source = copy_.parents ? source_below_pivot(path) : join_path("/", path);
    copy.parents = copy_.parents;
    copy.unpack = copy_.unpack.value_or(copy_.add);
    actions_.push_back(std::move(copy));
  }

  void read_stage(const Stage& from, graph::FileAction& copy) {
    if (!from.dispatched) {
      throw usage_error(fmt::format("cannot copy from stage {}, it needs to be defined before current stage {}",
                                    go_quote(copy_.from), go_quote(stage_.label)));
    }
    copy.secondary = input_index(node_, from.tree ? std::optional(from.tree->ref) : from.state.root);
    copy.keep_owner = !from.tree;
  }

  void add_heredoc(const dockerfile::Heredoc& heredoc) {
    graph::FileAction file;
    file.kind = graph::FileActionKind::mkfile;
    file.destination = "/" + heredoc.name;
    file.content = heredoc.content;
    file.mode = "0644";
    file.output = 0;
    const graph::Ref body = add_node(lowering_, graph::Node{graph::FileOp{{std::move(file)}}, {}, std::nullopt},
                                     internal_info("preparing inline document", stage_));
    add_literal(body, "/" + heredoc.name);
  }

  // Chains the actions, the last of which is the result; a linked copy is stacked on the base.
  void finish() {
    std::int32_t input = base_ ? 0 : -1;
    for (std::size_t i = 0; i < actions_.size(); ++i) {
      actions_[i].input = input;
      input = static_cast<std::int32_t>(node_.inputs.size() + i);
    }
    actions_.back().output = 0;
    node_.op = graph::FileOp{std::move(actions_)};
    const std::optional<graph::Ref> below = stage_.state.root;
    graph::NodeInfo merge_info = info_;
    stage_.state.root = add_node(lowering_, std::move(node_), std::move(info_));
    if (!linked_ || !below) return;
    const std::size_t bracket = merge_info.name.size() - merge_info.instruction.size();
    merge_info.name.insert(bracket, "LINK ");
    merge_info.instruction.insert(0, "LINK ");
    graph::Node merge{graph::MergeOp{}, {*below, *stage_.state.root}, std::nullopt};
    stage_.state.root = add_node(lowering_, std::move(merge), std::move(merge_info));
  }

  std::string history() const {
    std::string text = copy_.add ? "ADD" : "COPY";
    if (copy_.parents) text += " --parents";
    if (!words_.chown.empty()) text += " --chown=" + words_.chown;
    if (!words_.chmod.empty()) text += " --chmod=" + words_.chmod;
    for (const std::string& path : words_.paths) text += " " + path;
    for (const dockerfile::Heredoc& heredoc : words_.heredocs) text += " <<" + heredoc.name;
    return text + " " + words_.destination + " # buildkit";
  }

  Lowering& lowering_;
  Stage& stage_;
  const Step& step_;
  const dockerfile::CopyInstruction& copy_;
  CopyWords words_;
  std::string destination_;
  bool linked_ = false;
  std::optional<graph::Ref> base_;
  graph::Node node_;
  graph::NodeInfo info_;
  std::vector<graph::FileAction> actions_;
};

}  // namespace

void lower_copy(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::CopyInstruction& copy) {
  CopyLowering(lowering, stage, step, copy).run();
}

}  // namespace mbuild::frontend::lowering
