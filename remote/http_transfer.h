#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "remote/http.h"

// One HTTP transfer without retries: all that touches libcurl. Private to remote/http.cc.
namespace mbuild::remote {

struct TransferEvents {
  // Once, when the head of the final response (not that of a redirect) is complete, before its body.
  std::function<void(const HttpResponse&)> on_head;
  std::function<void(std::string_view)> on_body;
};

struct TransferOutcome {
  bool complete = false;  // a whole response was had; else `failure` and `reason` say why not
  HttpFailure failure = HttpFailure::other;
  std::string reason;
  bool upload_started = false;  // bytes of request.upload were taken
};

// Fills `response`, all but its body. Throws Cancelled, and what an event throws.
TransferOutcome transfer(const HttpRequest& request, const Headers& more_headers, const TransferEvents& events,
                         HttpResponse& response);

}  // namespace mbuild::remote
