#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

// Cache mounts of a build that ignores caches: its steps start with empty directories, one a name for all of them, and
// other builds keep what there was. When no step uses a new directory any more and one of them ended well, it replaces
// the old one.
namespace mbuild::executor {

class FreshCaches {
 public:
  // Puts the directory at `fresh` in the place of the cache mount.
  using Replace = std::function<void(const std::string& name, const std::string& fresh)>;

  explicit FreshCaches(Replace replace) : replace_(std::move(replace)) {}

  // A step that uses some; what it uses is given back when it is destroyed.
  class User {
   public:
    User() = default;
    User(User&&) = delete;
    ~User() { release(false); }
    // The step ended well. Throws what Replace throws.
    void succeed() { release(true); }

   private:
    friend class FreshCaches;
    void release(bool success);

    FreshCaches* caches_ = nullptr;
    std::vector<std::string> names_;
  };

  // The directory that a step uses for this cache mount, `path` where nobody does; "" when it has been replaced and is
  // like any other.
  std::string use(User& user, std::string_view name, const std::string& path);

 private:
  struct Fresh {
    std::string path;  // "": it has been replaced
    unsigned users = 0;
    bool succeeded = false;
  };
  Replace replace_;
  std::mutex mutex_;
  std::map<std::string, Fresh, std::less<>> fresh_;
};

}  // namespace mbuild::executor
