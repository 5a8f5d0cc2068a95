#include "containers/run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/message.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "cache/locks.h"
#include "containers/control_group.h"
#include "containers/exec.h"
#include "containers/fill_volume.h"
#include "containers/health.h"
#include "containers/image_root.h"
#include "containers/life.h"
#include "containers/log.h"
#include "containers/membership.h"
#include "containers/networks.h"
#include "containers/ports.h"
#include "containers/process.h"
#include "containers/shared_network.h"
#include "containers/sockets.h"
#include "containers/volumes.h"
#include "executor/outputs/export.h"
#include "executor/outputs/stored_images.h"
#include "executor/upkeep.h"
#include "executor/workplace.h"
#include "worker/host_directory.h"
#include "worker/sandbox/mount_sources.h"

// The process of a container, be it before a terminal or in the background, is the outer process of a build of one
// step. It holds the container's lock, writes its log and listens at its socket; when it dies, so does the container.
namespace mbuild::containers {
namespace {

constexpr std::size_t k_shown_id = 12;

std::string real_path(const HostBind& bind, const cache::Store& store) {
  if (!bind.volume.empty()) return use_volume(volumes_directory(store), bind.volume).directory;
  if (bind.make_source && !path_exists(bind.source)) make_directories(bind.source, 0755);
  std::error_code error;
  const auto path = std::filesystem::canonical(bind.source, error);
  return error ? bind.source : path.string();
}

void tell_status(int caller, int status) {
  executor::send_message(caller, {executor::MessageType::result, static_cast<std::uint64_t>(status), "", "", {}});
}

class Host {
 public:
  // `container` is held by the caller.
  Host(const executor::SessionRequest& session, executor::BuildStore& place, Container container,
       std::function<void(const Fd& process, int input)> started)
      : session_(session),
        place_(place),
        container_(std::move(container)),
        options_(container_.record.options),
        started_(std::move(started)),
        standing_(read_standing(container_)),
        log_(log_path(container_)) {
    container_.volumes = read_volumes(container_);
    if (options_.hostname.empty() && options_.network.mode != graph::NetworkMode::host) {
      options_.hostname = container_.record.id.substr(0, k_shown_id);
    }
  }

  int run(const Streams& streams, std::vector<Listener> listeners = {}) {
    Ends ends;
    Plugs plugs;
    plugs.listeners = std::move(listeners);
    if (!options_.terminal) ends = connect(plugs, options_.open_stdin);
    executor::SocketPair told = executor::make_socket_pair();
    ends.report = std::move(told.b);
    const Fd requests = listen_at(socket_path(container_));
    const Milestones milestones{.on_start = [&](const Fd& process, int input) { note_start(process, input); },
                                .on_attached = [&](Fd caller) { callers_.push_back(std::move(caller)); },
                                .requests = requests.get(),
                                .started = std::move(told.a),
                                .ended = Fd(::eventfd(0, EFD_CLOEXEC))};
    if (!milestones.ended) throw system_error(errno, "eventfd", ExitClass::host);
    Streams with_log = streams;
    with_log.write = [&](int stream, std::string_view bytes) {
      log_.write(stream, bytes);
      if (streams.write) streams.write(stream, bytes);
    };
    warn_ = [&](std::string text) { with_log.write(2, fmt::format("mbuild: {}\n", text)); };
    {
      std::jthread life([&, taken = std::move(ends)]() mutable {
        try {
          status_ = live(std::move(taken));
        } catch (...) {
          failure_ = std::current_exception();
        }
        taken = {};
        ::eventfd_write(milestones.ended.get(), 1);
      });
      attend(with_log, std::move(plugs), milestones, [&] { stop_.request_stop(); });
    }
    if (!last_words_.empty()) with_log.write(2, last_words_);
    log_.finish();  // by who writes it, when all is written
    if (failure_) std::rethrow_exception(failure_);
    for (const auto& caller : callers_) tell_status(caller.get(), status_);
    return status_;
  }

  void note_restarts(std::uint64_t count) { running_.restarts = count; }

  // All that comes before its first life.
  void create(const std::stop_token& stop) {
    executor::Workplace workplace(place_, [](std::string) {}, stop);
    executor::ImageSources images(place_.store, images_options(), stop);
    try {
      const auto platform = options_.platform.value_or(platforms::host_platform());
      const auto image = find_image(options_, images, place_.store, stop);
      ImageRoot root(session_, place_, workplace, images, image, process_of(image.config, options_), platform, stop);
      stand_on(image, root.resting_task(), images);
    } catch (...) {
      remove(workplace);
      throw;
    }
  }

 private:
  void note_start(const Fd& process, int input) {
    running_.process = number_of(process);
    running_.start_time = start_time_of(running_.process).value_or(0);
    running_.started = unix_seconds();
    has_started_ = true;
    group_.now_started();
    try {
      if (health_) write_health(container_, "starting");
      const std::lock_guard lock(writing_);
      write_running(container_, running_);
      if (!is_over_) forget_ended(container_);
    } catch (const Error&) {
      // The disk is full: it runs all the same, and is said to be created.
    }
    if (started_) started_(process, input);
    if (!health_) return;
    auto seen = container_;
    seen.running = running_;
    seen.state = State::running;
    const std::lock_guard lock(writing_);
    if (is_over_) return;
    watch_ = std::jthread([seen, check = *health_](const std::stop_token& stop) { watch_health(seen, check, stop); });
  }

  executor::ImageOptions images_options() const {
    auto out = executor::image_options(session_, {}, executor::registries_of(session_, {}));
    out.stored = options_.pull != Pull::always;
    return out;
  }

  // The whole life of a container, from its image to its end.
  int live(Ends ends) {
    const auto stop = stop_.get_token();
    // Before its program runs nobody else writes.
    const auto warn = [this](std::string text) {
      if (membership_) warn_(std::move(text));
    };
    executor::Workplace workplace(place_, warn, stop);
    try {
      join_network(workplace);
      // Takes longer than all else; what ports lead into it, the image may have to say.
      const bool has_ports = options_.publish_all || !options_.ports.empty();
      if (options_.network.mode == graph::NetworkMode::standard && !has_ports) workplace.network.start();
      const int status = status_of_life(workplace, std::move(ends), stop);
      workplace.network.end();  // while all else is put away
      {
        const std::lock_guard lock(writing_);
        watch_.request_stop();
        is_over_ = true;  // a short program may have ended before it was noted that it runs
        write_ended(container_, {.status = status, .finished = unix_seconds()});
      }
      if (container_.record.remove && !is_to_be_kept(container_)) remove(workplace);
      return status;
    } catch (...) {
      if (!has_started_ && !standing_) remove(workplace);
      throw;
    }
  }

  void remove(executor::Workplace& workplace) {
    const Shelf shelf(containers_directory(place_.store));
    for (auto& left : shelf.taken_away()) workplace.remove_later(std::move(left));
    const auto volumes = shelf.read(container_.record.id).value_or(container_);
    workplace.remove_later(shelf.take_away(container_));
    remove_anonymous_volumes(workplace, place_.store, volumes);
  }

  // A port may be another container's.
  void name_holders(const std::function<void()>& check) {
    try {
      check();
    } catch (Error& error) {
      for (const auto& other : Shelf(containers_directory(place_.store)).list()) {
        if (other.state != State::running) continue;
        for (const auto& port : ports_of(other)) {
          const auto same = [&](const Port& own) { return own.host == port.host && own.udp == port.udp; };
          if (std::ranges::none_of(options_.ports, same)) continue;
          throw error.with_context(fmt::format("the container {} publishes {}", other.record.name, to_string(port)));
        }
      }
      throw;
    }
  }

  // The network that it is to be in by name, or that of another container.
  void join_network(executor::Workplace& workplace) {
    const auto& choice = options_.network;
    const auto containers = containers_directory(place_.store);
    if (!choice.name.empty()) {
      const auto networks = networks_directory(containers);
      auto network = find_network(networks, choice.name);
      if (network.closed && (!options_.ports.empty() || options_.publish_all)) {
        throw usage_error(fmt::format("the network {} is internal: no port of the host leads into it", choice.name))
            .with_advice("Run the container without -p, or in another network.");
      }
      std::string own_lines = executor::hosts_lines("", options_.extra_hosts);
      membership_.emplace(session_.store_root, networks, std::move(network), container_, std::move(own_lines));
      workplace.inner.join(membership_->user_namespace());
      workplace.network.join(membership_->bridge());
      running_.address = membership_->address();
      hosts_ = hosts_path(container_);
    } else if (!choice.container.empty() && choice.mode == graph::NetworkMode::standard) {
      auto shared = network_of_container(Shelf(containers), choice.container);
      workplace.inner.join(std::move(shared.user));
      workplace.network.use(std::move(shared.network), std::move(shared.resolv_conf));
      hosts_ = std::move(shared.hosts);
      options_.hostname = std::move(shared.hostname);
    }
  }

  void publish(executor::Workplace& workplace, const frontend::ImageConfig& image) {
    if (options_.publish_all && options_.network.mode == graph::NetworkMode::standard) {
      add_exposed_ports(image.exposed_ports, options_.ports);
      add_exposed_ports(options_.exposed, options_.ports);
    }
    if (options_.ports.empty()) return;
    name_holders([&] { check_ports(options_.ports); });
    workplace.network.publish(pasta_ports(options_.ports, false), pasta_ports(options_.ports, true));
  }

  // A volume with nothing in it gets what the image has at its place.
  void fill(const HostBind& bind, executor::Workplace& workplace, ImageRoot& root, const executor::LayerIds& layers,
            const std::stop_token& stop) {
    const auto volume = use_volume(volumes_directory(place_.store), bind.volume);
    if (!is_empty(volume)) return;
    auto& inner = workplace.inner.get();  // its process begins before there is a lock that it would hold for ever
    const auto lock = cache::FileLock::acquire(dir_name(volume.directory) + "/filling.lock", stop);
    if (!is_empty(volume)) return;  // by another container meanwhile, which may be writing there
    fill_volume(inner,
                {.image = root.stack(layers),
                 .path = bind.target,
                 .into = executor::host_directory(volume.directory, bind.target, false, place_.map),
                 .work = root.next_directory(),
                 .owners = place_.map.owner_mode()},
                stop);
  }

  // From its beginning on: what its image is, and which volumes it has by it.
  void stand_on(const frontend::ResolvedImage& image, const executor::RunTask& layers,
                const executor::ImageSources& images) {
    container_.volumes = volumes_of(image.config, options_);
    if (!container_.volumes.empty()) write_volumes(container_, container_.volumes);
    write_standing(container_, standing_of(image, layers.root, images));
    keep_pulled(image, options_.pull == Pull::always, images, place_.store);
  }

  void mount(const HostBind& bind, executor::ContainerTask& task, executor::Workplace& workplace, ImageRoot& root,
             const executor::LayerIds& layers, const std::stop_token& stop) {
    try {
      auto made = executor::host_directory(real_path(bind, place_.store), bind.target, bind.read_only, place_.map);
      if (!bind.volume.empty()) fill(bind, workplace, root, layers, stop);
      task.binds.push_back(std::move(made));
    } catch (const Error& error) {
      // Where the store's file system can't map ids, what the image calls a volume is a directory of the container's.
      const bool is_images = std::ranges::find(container_.volumes, bind) != container_.volumes.end();
      if (!is_images || error.exit_class != ExitClass::host) throw;
    }
  }

  // What ends a program that has begun is the last that it is heard to say.
  int status_of_life(executor::Workplace& workplace, Ends ends, const std::stop_token& stop) {
    try {
      return live_in(workplace, std::move(ends), stop);
    } catch (const Error& error) {
      if (!has_started_ || stop.stop_requested()) throw;
      last_words_ = fmt::format("mbuild: {}\n", error.message);
      if (!error.advice.empty()) last_words_ += fmt::format("        {}\n", error.advice);
      return k_not_started;
    }
  }

  int live_in(executor::Workplace& workplace, Ends ends, const std::stop_token& stop) {
    executor::ImageSources images(place_.store, images_options(), stop);
    const auto platform = options_.platform.value_or(platforms::host_platform());
    const auto image = standing_ ? image_of(*standing_, images) : find_image(options_, images, place_.store, stop);
    publish(workplace, image.config);
    if (!limit(workplace) && options_.limits.pids > 0) {
      const auto most = static_cast<std::int64_t>(options_.limits.pids);
      options_.ulimits.push_back({.name = "nproc", .soft = most, .hard = most});
    }
    const auto process = process_of(image.config, options_);
    health_ = health_check_of(image.config, options_.health);
    running_.ports = options_.ports;
    running_.image = image.name;
    running_.argv = process.argv;
    running_.env = process.env;
    running_.cwd = process.cwd;
    running_.user = process.user;
    const auto& signal = options_.ending.signal.empty() ? image.config.stop_signal : options_.ending.signal;
    if (!signal.empty()) running_.stop_signal = signal_number(signal);
    ImageRoot root(session_, place_, workplace, images, image, process, platform, stop);
    executor::ContainerTask task;
    task.setup = {.stdin_fd = std::move(ends.in),
                  .terminal = options_.terminal,
                  .read_only = options_.read_only,
                  .init = options_.init,
                  .capabilities = capabilities_of(options_.cap_add, options_.cap_drop),
                  .hosts = hosts_,
                  .name_servers = options_.name_servers,
                  .no_new_privileges = options_.no_new_privileges,
                  .groups = options_.groups,
                  .report = std::move(ends.report)};
    const auto layers = root.task();
    if (!standing_) stand_on(image, layers, images);
    for (const auto& bind : binds_of(container_)) mount(bind, task, workplace, root, layers.root, stop);
    task.run = layers;
    task.directory = container_.directory + "/root";
    task.stdout_fd = std::move(ends.out);
    task.stderr_fd = std::move(ends.err);
    return root.worker().run_container(std::move(task), stop).exit_code;
  }

  // The inner process, whose children the container's are, may have begun before.
  bool limit(executor::Workplace& workplace) {
    return group_.enter(options_.limits, container_.record.id) && group_.take_in(workplace.inner.get().process());
  }

  const executor::SessionRequest& session_;
  executor::BuildStore& place_;
  Container container_;
  Options options_;
  const std::function<void(const Fd& process, int input)> started_;
  const std::optional<Standing> standing_;  // of one that was started before
  LogWriter log_;
  std::function<void(std::string)> warn_;
  std::optional<Membership> membership_;
  std::string hosts_;  // the path of its /etc/hosts; "": it has the usual one
  Running running_;
  std::optional<frontend::HealthCheck> health_;
  ControlGroup group_;
  std::vector<Fd> callers_;  // who sit before it, and wait for its status
  std::atomic<bool> has_started_ = false;
  std::mutex writing_;
  bool is_over_ = false;
  std::stop_source stop_;
  std::exception_ptr failure_;
  std::string last_words_;
  int status_ = 0;
  std::jthread watch_;  // last: it looks at the others
};

// True when something was added that upkeep has work with.
bool finish(executor::BuildStore& place) { return place.store.has_volatile_rows(); }

void quiet_streams() {
  const Fd null = open_file("/dev/null", O_RDWR);
  for (const int stream : {1, 2}) ::dup2(null.get(), stream);
}

}  // namespace

int status_of(const Error& error) {
  if (error.exit_class != ExitClass::step_failed || error.code == 0) return k_not_started;
  return error.code == ENOENT ? k_not_found : k_not_executable;
}

Record new_record(const Options& options, const std::string& name, bool remove, bool less_isolation) {
  Record out{.id = new_id(),
             .name = name,
             .options = options,
             .remove = remove,
             .less_isolation = less_isolation,
             .created = unix_seconds(),
             .created_ns = unix_nanoseconds().count()};
  if (name.empty()) {
    out.name = fmt::format("{}_{}", some_name(out.id), out.id.substr(0, 4));
  } else {
    check_name(name);
  }
  for (auto& port : out.options.ports) choose_port(port);
  return out;
}

namespace {

// In this process, once.
int live(const executor::SessionRequest& session, executor::BuildStore& place, const Container& container,
         const Streams& streams) {
  Life life(container);
  const int status = Host(session, place, container, {}).run(streams);
  life.note_status(status);
  return status;
}

// One in a network that others are in, too, joins their user namespace.
executor::LazyInner::Begin begin_of(const Options& options) {
  const bool joins = !options.network.name.empty() || !options.network.container.empty();
  return joins ? executor::LazyInner::Begin::when_needed : executor::LazyInner::Begin::ahead;
}

template <class Find>
int run_here(const executor::SessionRequest& session, const Options& options, const Streams& streams,
             const Find& find) {
  bool has_more = false;
  int status = 0;
  {
    executor::BuildStore place(session.store_root, begin_of(options));
    status = live(session, place, find(Shelf(containers_directory(place.store))), streams);
    has_more = finish(place);
  }
  if (has_more) executor::start_upkeep(session.store_root);
  return status;
}

// Starts a process for a container. With an invitation, what it writes is heard from its beginning on. Returns when its
// program runs.
void start_process(const executor::SessionRequest& session, const Container& container, Invitation* invitation) {
  executor::SocketPair sockets = executor::make_socket_pair();
  start_self({k_supervisor_argument, session.store_root, container.record.id}, sockets.b.get());
  sockets.b.reset();
  std::vector<int> fds;
  if (invitation != nullptr) {
    for (const auto* fd : {&invitation->listener.out, &invitation->listener.err}) {
      if (*fd) fds.push_back(fd->get());
    }
  }
  executor::send_message(sockets.a.get(), {executor::MessageType::request, 0, k_attach, "", {}}, fds);
  if (invitation != nullptr) invitation->listener = {};
  auto answer = executor::receive_message(sockets.a.get());
  if (!answer) throw Error(ExitClass::host, "the process of the container ended before its program was started");
  if (answer->type == executor::MessageType::error) throw executor::decode_error(answer->body());
  if (invitation == nullptr) return;
  auto& own = invitation->own;
  own.caller = std::move(sockets.a);
  if (!answer->fds.empty()) own.process = std::move(answer->fds[0]);
  if (answer->fds.size() > 1) own.input = std::move(answer->fds[1]);
}

std::vector<Listener> listeners_of(int caller) {
  auto message = executor::receive_message(caller);
  std::vector<Listener> out;
  if (!message || message->fds.empty()) return out;
  out.push_back({.out = std::move(message->fds[0]), .err = {}});
  if (message->fds.size() > 1) out.back().err = std::move(message->fds[1]);
  return out;
}

// Whether its program is to be started again, after a pause that is longer each time it ended early.
class Patience {
 public:
  explicit Patience(const Container& container) : container_(container), restart_(container.record.options.restart) {}

  bool begins_again(int status, std::int64_t started) {
    constexpr std::int64_t k_long_enough = 10;  // seconds, after which it is taken to have worked
    if (restart_.when == Restart::When::never || (restart_.when == Restart::When::on_failure && status == 0)) {
      return false;
    }
    if (unix_seconds() - started >= k_long_enough) pause_ = k_first_pause;
    if (restart_.attempts != 0 && ++attempts_ > restart_.attempts) return false;
    for (auto left = pause_; left.count() > 0; left -= k_first_pause) {
      if (is_to_stay_down(container_)) return false;
      std::this_thread::sleep_for(k_first_pause);
    }
    pause_ = std::min(pause_ * 2, k_longest_pause);
    return !is_to_stay_down(container_);
  }

 private:
  static constexpr std::chrono::milliseconds k_first_pause{100}, k_longest_pause{60'000};
  const Container& container_;
  const Restart restart_;
  std::uint64_t attempts_ = 0;
  std::chrono::milliseconds pause_ = k_first_pause;
};

int live_on(const executor::SessionRequest& session, const Container& container, std::vector<Listener> listeners,
            const std::function<void(const Fd& process, int input)>& started) {
  Life life(container);
  Patience patience(container);
  for (std::uint64_t restarts = 0;;) {
    executor::BuildStore place(session.store_root, begin_of(container.record.options));
    const auto began = unix_seconds();
    Host host(session, place, container, started);
    host.note_restarts(restarts++);
    const int status = host.run({}, std::exchange(listeners, {}));
    life.note_status(status);
    if (!patience.begins_again(status, began)) return status;
  }
}

}  // namespace

int run_attended(const executor::SessionRequest& session, const Record& record, const Streams& streams) {
  return run_here(session, record.options, streams, [&](const Shelf& shelf) { return shelf.add(record); });
}

int run_attended_again(const executor::SessionRequest& session, const Container& container, const Streams& streams) {
  return run_here(session, container.record.options, streams, [&](const Shelf&) { return container; });
}

void create_container(const executor::SessionRequest& session, const Record& record) {
  bool has_more = false;
  {
    executor::BuildStore place(session.store_root);
    const auto container = Shelf(containers_directory(place.store)).add(record);
    const auto lock = hold(container);
    Host(session, place, container, {}).create({});
    has_more = finish(place);
  }
  if (has_more) executor::start_upkeep(session.store_root);
}

void run_detached(const executor::SessionRequest& session, const Record& record) {
  start_process(session, shelf_of(session.store_root).add(record), nullptr);
}

Attached run_apart(const executor::SessionRequest& session, const Record& record) {
  return start_apart(session, shelf_of(session.store_root).add(record));
}

void start_again(const executor::SessionRequest& session, const Container& container) {
  start_process(session, container, nullptr);
}

Attached start_apart(const executor::SessionRequest& session, const Container& container) {
  auto invitation = invite(container.record.options.terminal);
  start_process(session, container, &invitation);
  return std::move(invitation.own);
}

int supervise(const executor::SessionRequest& session, const std::string& id, int caller) {
  ::signal(SIGPIPE, SIG_IGN);
  quiet_streams();
  bool answered = false;
  const auto answer = [&](executor::MessageType type, std::string text, std::span<const int> fds) {
    if (!std::exchange(answered, true)) executor::send_message(caller, {type, 0, "", std::move(text), {}}, fds);
  };
  const auto hang_up = [&] { ::dup2(open_file("/dev/null", O_RDWR).get(), caller); };
  try {
    if (::chdir("/") < 0) throw system_error(errno, "chdir /", ExitClass::host);
    const auto container = shelf_of(session.store_root).read(id);
    if (!container) throw Error(ExitClass::store, "the container has vanished from the store: " + id);
    auto own = session;
    own.allow_less_isolation = session.allow_less_isolation || container->record.less_isolation;
    auto listeners = listeners_of(caller);
    const bool is_heard = !listeners.empty();
    const auto started = [&](const Fd& process, int input) {
      const int fds[] = {process.get(), input};
      answer(executor::MessageType::ready, "", std::span<const int>(fds, input >= 0 ? 2 : 1));
      if (!is_heard) hang_up();
    };
    const int status = live_on(own, *container, std::move(listeners), started);
    if (is_heard) tell_status(caller, status);
    return status;
  } catch (const Error& error) {
    answer(executor::MessageType::error, executor::encode_error(error), {});
  } catch (const std::exception& error) {
    answer(executor::MessageType::error, executor::encode_error(Error(ExitClass::internal, error.what())), {});
  }
  return k_not_started;
}

Shelf shelf_of(const std::string& store_root) { return Shelf(containers_directory(executor::open_store(store_root))); }

std::vector<Container> remove_containers(const std::string& store_root, const std::vector<Container>& containers,
                                         bool volumes) {
  executor::BuildStore place(store_root);
  executor::Workplace workplace(place, [](std::string) {}, {});
  const Shelf shelf(containers_directory(place.store));
  for (auto& left : shelf.taken_away()) workplace.remove_later(std::move(left));
  std::vector<Container> running;
  for (const auto& container : containers) {
    // Somebody may have started it again since it was seen to have ended.
    if (const auto lock = hold(container)) {
      workplace.remove_later(shelf.take_away(container));
      if (volumes) remove_anonymous_volumes(workplace, place.store, container);
    } else {
      running.push_back(container);
    }
  }
  return running;
}

}  // namespace mbuild::containers
