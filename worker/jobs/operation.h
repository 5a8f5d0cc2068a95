#pragma once

#include <algorithm>
#include <cstddef>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/codec.h"
#include "worker/inner/inner.h"
#include "worker/inner/supervisor.h"

// An operation of the inner process, declared in one place:
//
//     PackReply pack_job(PackRequest request);
//     inline constexpr Operation<"pack", pack_job> pack;
//
// In the outer process `pack(inner, request, stop)` asks for it and waits; inside, pack_job gets the request in a
// process of its own. Whatever is asked for anywhere in the program is known to its inner process.
namespace mbuild::executor::jobs {

template <std::size_t N>
struct OperationName {
  char text[N];
  consteval OperationName(const char (&name)[N]) { std::copy_n(name, N, text); }
};

template <OperationName Name, auto Work>
class Operation;

template <OperationName Name, class Reply, class Request, Reply (*Work)(Request)>
class Operation<Name, Work> {
 public:
  // Callable from any thread. Throws what the operation throws, and Cancelled. Descriptors of the request are
  // duplicated.
  Reply operator()(Inner& inner, const Request& request, std::stop_token stop) const {
    static_cast<void>(&known_);
    Encoder encoder;
    encoder(request);
    const std::string reply = inner.call(Name.text, encoder.take(), encoder.descriptors(), std::move(stop));
    if constexpr (!std::is_void_v<Reply>) return decode<Reply>(reply);
  }
  // The same; the descriptors of the request are closed in this process when it returns or throws.
  Reply operator()(Inner& inner, Request&& request, std::stop_token stop) const {
    const Request own = std::move(request);
    return (*this)(inner, own, std::move(stop));
  }

 private:
  static std::string work(std::string_view payload, std::vector<Fd>& fds) {
    if constexpr (std::is_void_v<Reply>) {
      Work(decode<Request>(payload, fds));
      return {};
    } else {
      return encode(Work(decode<Request>(payload, fds)));
    }
  }

  inline static const bool known_ = (register_job(Name.text, work), true);
};

}  // namespace mbuild::executor::jobs
