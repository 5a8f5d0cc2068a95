#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/message.h"
#include "worker/inner/inner.h"
#include "worker/jobs/jobs.h"
#include "worker/jobs/network_proof.h"
#include "worker/sandbox/bridge.h"

namespace mbuild::executor {

// The network that all RUNs of a build share, unless they ask for another one: started when the first of them needs it,
// gone with this object. Thread-safe. How it is made is told in network_job.cc.
class BuildNetwork {
 public:
  // `warn` is called once, by who waits, with a whole sentence, when the network is not what it should be. When `stop`
  // is requested the network ends, and what waits for it throws Cancelled.
  BuildNetwork(std::function<Inner&()> inner, std::function<void(std::string)> warn, std::stop_token stop,
               NetworkProof proof = NetworkProof(""));
  ~BuildNetwork();
  BuildNetwork(const BuildNetwork&) = delete;
  BuildNetwork& operator=(const BuildNetwork&) = delete;

  // Ports of the host that are to lead into it (NetworkRequest), before it is started: `get` throws Error (host) where
  // that can't be.
  void publish(std::vector<std::string> tcp, std::vector<std::string> udp);

  // A bridge that it is to lead to as well (NetworkRequest), before it is started.
  struct Bridge {
    Fd name_space;
    BridgeAddress address;
    bool closed = false;
  };
  void join(Bridge bridge);
  // Has a namespace in the place of one of its own, which whoever made it keeps; none: the host's.
  void use(Fd name_space, std::string resolv_conf);

  // Begins to start it, and returns.
  void start();

  struct Joined {
    jobs::NetworkReply about;
    int name_space = -1;  // -1: the host's
    int coming = -1;      // see HeldSockets; -1: the namespace leads outside
  };
  // Waits until steps can join it; where it has proven itself before, at once.
  Joined join();
  // Waits until it leads outside.
  Joined get();
  // Requested when it does not come though steps have joined it: they are to end, and get() says why.
  std::stop_token failed() const { return failed_.get_token(); }

  // Begins to end it, and returns: no step needs it any more.
  void end() { stop_.request_stop(); }

 private:
  void hear();
  void take(const Message& message);
  Joined wait(bool until_there);
  void start_program(const Message& request);

  std::function<Inner&()> inner_;
  std::function<void(std::string)> warn_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> on_stop_;
  std::stop_source failed_;
  const NetworkProof proof_;
  std::string pasta_;
  std::mutex mutex_;
  std::condition_variable heard_;
  Fd report_, namespace_;
  Pipe arrival_;  // a byte comes when it leads outside
  std::optional<Bridge> bridge_;
  std::vector<std::string> tcp_, udp_;
  std::exception_ptr failure_;
  std::optional<Joined> promised_, joined_;
  std::string warning_;  // not yet given
  bool is_given_ = false, is_over_ = false;
  std::jthread job_, ear_;
};

// How a network that is not the build's own is called in warnings; "" for one that is as it should be.
std::string network_warning(const jobs::NetworkReply& reply);

}  // namespace mbuild::executor
