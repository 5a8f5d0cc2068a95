// Images go to an engine as `docker load` and `podman load` take them: one tar, written into a pipe while the engine
// reads it. A thread writes; whichever end fails first says what went wrong, and the other end then sees a closed pipe.
#include "executor/outputs/load.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "remote/http.h"

namespace mbuild::executor {
namespace {

using nlohmann::json;

constexpr const char* k_default_socket = "/var/run/docker.sock";
constexpr std::string_view k_containerd_store = "io.containerd.snapshotter";

Error host_error(std::string message) { return Error(ExitClass::host, std::move(message)); }

std::size_t images_in(const image::ImageSet& set) {
  return static_cast<std::size_t>(
      std::ranges::count_if(set.images, [](const auto& image) { return !image::is_attestation(image.manifest); }));
}

bool reader_is_gone(const Fd& write_end) {
  pollfd state{write_end.get(), POLLOUT, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & POLLERR) != 0;
}

// Writes the set into a pipe while `consume` reads it.
void stream(const image::ImageSet& set, const image::OpenBlob& open_blob, const std::function<void(Fd)>& consume) {
  Pipe pipe = make_pipe();
  std::exception_ptr broken;
  bool writer_was_first = false;
  std::jthread writer([&] {
    try {
      image::LayoutTar tar(pipe.write.get());
      images_in(set) > 1 ? tar.finish(set, open_blob) : tar.finish_for_docker(set, open_blob);
    } catch (...) {
      broken = std::current_exception();
      writer_was_first = !reader_is_gone(pipe.write);
    }
    pipe.write.reset();
  });
  std::exception_ptr refused;
  try {
    consume(std::move(pipe.read));
  } catch (...) {
    refused = std::current_exception();
  }
  writer.join();
  if (broken && (writer_was_first || !refused)) std::rethrow_exception(broken);
  if (refused) std::rethrow_exception(refused);
}

// ---- a Docker engine

struct Engine {
  std::string base;  // "http://docker"
  remote::HttpOptions options;
  std::string shown;
};

remote::HttpRequest request_to(const Engine& engine, const char* method, const std::string& path,
                               const std::stop_token& stop) {
  remote::HttpRequest request;
  request.method = method;
  request.url = engine.base + path;
  request.options = engine.options;
  request.options.attempts = 1;
  request.stop = stop;
  return request;
}

Engine engine_at(const std::string& address) {
  Engine engine{.base = "http://docker", .options = {}, .shown = address};
  if (address.starts_with("unix://")) {
    engine.options.unix_socket = address.substr(7);
  } else if (address.starts_with("tcp://")) {
    engine.base = "http://" + address.substr(6);
  } else {
    throw host_error(fmt::format("DOCKER_HOST={}: only unix:// and tcp:// addresses are supported", address))
        .with_advice("Write a file with -o type=docker,dest=FILE and give it to `docker load`.");
  }
  return engine;
}

bool answers(const Engine& engine, const std::stop_token& stop) {
  try {
    return remote::http_request(request_to(engine, "GET", "/_ping", stop)).ok();
  } catch (const Error&) {
    return false;
  }
}

// The engine that is meant; none where nobody named one and none answers.
std::optional<Engine> find_engine(const std::string& host, const std::stop_token& stop) {
  if (!host.empty()) {
    Engine engine = engine_at(host);
    if (answers(engine, stop)) return engine;
    throw host_error(fmt::format("the Docker engine at DOCKER_HOST={} does not answer", host))
        .with_advice("Start it, or unset DOCKER_HOST.");
  }
  struct stat status;
  if (::stat(k_default_socket, &status) != 0 || !S_ISSOCK(status.st_mode)) return std::nullopt;
  Engine engine = engine_at(std::string("unix://") + k_default_socket);
  if (!answers(engine, stop)) return std::nullopt;
  return engine;
}

// Only the containerd image store keeps an image index.
bool keeps_indexes(const Engine& engine, const std::stop_token& stop) {
  const auto info = remote::http_request(request_to(engine, "GET", "/info", stop)).body;
  return info.find(k_containerd_store) != std::string::npos;
}

// The answer is a stream of JSON objects, one a line, of which one may tell an error, although the status is 200.
std::string loaded_message(const std::string& body, const Engine& engine) {
  std::string told;
  for (const auto& line : split(body, '\n')) {
    const auto message = json::parse(line, nullptr, false);
    if (!message.is_object()) continue;
    if (const auto error = message.find("error"); error != message.end() && error->is_string()) {
      throw host_error(
          fmt::format("the Docker engine at {} refused the image: {}", engine.shown, error->get<std::string>()));
    }
    const auto text = message.find("stream");
    if (text != message.end() && text->is_string()) told += text->get<std::string>();
  }
  return "docker: " + std::string(trim(told));
}

LoadedImages load_into_docker(const Engine& engine, const image::ImageSet& set, const image::OpenBlob& open_blob,
                              const std::stop_token& stop) {
  const bool has_containerd_store = keeps_indexes(engine, stop);
  if (images_in(set) > 1 && !has_containerd_store) {
    throw Error(ExitClass::usage, "docker exporter does not currently support exporting manifest lists")
        .with_advice(
            "This Docker engine keeps one platform of an image: turn on its containerd image store, or build "
            "one --platform.");
  }
  std::string body;
  stream(set, open_blob, [&](Fd tar) {
    auto request = request_to(engine, "POST", "/images/load?quiet=1", stop);
    request.headers.emplace_back("Content-Type", "application/x-tar");
    request.upload = remote::HttpUpload{.read =
                                            [&tar](char* into, std::size_t room) {
                                              ssize_t n;
                                              do n = ::read(tar.get(), into, room);
                                              while (n < 0 && errno == EINTR);
                                              if (n < 0) throw system_error(errno, "read the image");
                                              return static_cast<std::size_t>(n);
                                            },
                                        .rewind = {},
                                        .size = std::nullopt};
    body = remote::http_request(request).body;
  });
  return {loaded_message(body, engine), has_containerd_store};
}

// ---- Podman

std::string load_into_podman(const std::string& program, const image::ImageSet& set, const image::OpenBlob& open_blob,
                             const std::stop_token& stop) {
  if (images_in(set) > 1) {
    throw Error(ExitClass::usage, "docker exporter does not currently support exporting manifest lists")
        .with_advice("Podman loads one platform of an image: build one --platform, or push to a registry.");
  }
  SubprocessResult result;
  stream(set, open_blob, [&](Fd tar) {
    result = run_program_reading({program, "load", "--quiet"}, std::move(tar), stop);
    if (result.status == 0) return;
    throw host_error(fmt::format("podman load failed with status {}: {}", result.status, trim(result.error)));
  });
  return "podman: " + std::string(trim(result.output));
}

}  // namespace

bool has_docker_engine(const std::string& docker_host, const std::stop_token& stop) {
  try {
    return find_engine(docker_host, stop).has_value();
  } catch (const Error&) {
    return false;
  }
}

LoadedImages load_images(const image::ImageSet& set, const image::OpenBlob& open_blob, const std::string& docker_host,
                         std::stop_token stop) {
  if (const auto engine = find_engine(docker_host, stop)) return load_into_docker(*engine, set, open_blob, stop);
  if (const auto podman = find_program("podman"); !podman.empty()) {
    return {load_into_podman(podman, set, open_blob, stop)};
  }
  throw host_error(
      "there is no container engine to load the image into: no Docker engine answers at "
      "/var/run/docker.sock, and podman is not installed")
      .with_advice("Set DOCKER_HOST, install podman, or keep the image with -o type=oci,dest=FILE.");
}

}  // namespace mbuild::executor
