#pragma once

#include <string>

// That pasta has made a network in these very circumstances: this boot, this user, these namespaces, this program.
// Steps then begin before theirs is there (held_sockets.h), since it is all but certain to come.
namespace mbuild::executor {

class NetworkProof {
 public:
  // `path` is the file that tells so, "": there is none.
  explicit NetworkProof(std::string path) : path_(std::move(path)) {}

  bool holds(const std::string& pasta) const;
  void note(const std::string& pasta) const;  // it has worked; where that can't be written, it is not proven
  void forget() const;

 private:
  std::string path_;
};

}  // namespace mbuild::executor
