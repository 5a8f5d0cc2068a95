#include "containers/health.h"

#include "base/error.h"
#include "containers/option_values.h"
#include "containers/ports.h"
#include "tests/catch.h"

namespace mbuild::containers {
namespace {

constexpr std::int64_t k_second = 1'000'000'000;

}  // namespace

TEST_CASE("the image's health check counts where the user says nothing", "[containers]") {
  frontend::ImageConfig image;
  CHECK_FALSE(health_check_of(image, {}).has_value());
  image.health_check = frontend::HealthCheck{.test = {"CMD", "true"}, .interval_ns = 7};
  const auto own = health_check_of(image, {});
  REQUIRE(own.has_value());
  CHECK(own->interval_ns == 7);
  CHECK(own->timeout_ns == 30 * k_second);
  CHECK(own->retries == 3);
  CHECK_FALSE(health_check_of(image, {.off = true}).has_value());
  const auto other = health_check_of(image, {.command = "x", .retries = 1});
  REQUIRE(other.has_value());
  CHECK(other->test == std::vector<std::string>{"CMD-SHELL", "x"});
  CHECK(other->retries == 1);
  image.health_check->test = {"NONE"};
  CHECK_FALSE(health_check_of(image, {}).has_value());
}

TEST_CASE("so many failures one after the other make a container unhealthy", "[containers]") {
  HealthState state({.test = {}, .interval_ns = 9, .start_period_ns = 100, .start_interval_ns = 2, .retries = 2});
  CHECK(state.pause(0) == 2);
  CHECK_FALSE(state.answered(false, 50));  // in the start period
  CHECK(state.failures() == 0);
  CHECK(state.pause(150) == 9);
  CHECK_FALSE(state.answered(false, 150));
  CHECK(state.answered(false, 160));
  CHECK(state.status() == "unhealthy");
  CHECK(state.answered(true, 170));
  CHECK(state.status() == "healthy");
  CHECK_FALSE(state.answered(false, 180));
  CHECK(state.status() == "healthy");
}

TEST_CASE("policies, processors and counts", "[containers]") {
  CHECK(parse_restart("on-failure:3") == Restart{.when = Restart::When::on_failure, .attempts = 3});
  CHECK(parse_restart("unless-stopped").when == Restart::When::always);
  CHECK(parse_restart("no").when == Restart::When::never);
  for (const char* wrong : {"on-failure:", "on-failure:x", "sometimes"}) CHECK_THROWS_AS(parse_restart(wrong), Error);
  CHECK(parse_cpus("1.5") == 1500);
  CHECK_THROWS_AS(parse_cpus("0"), Error);
  CHECK(parse_count("--pids-limit", "-1") == 0);
  CHECK_THROWS_AS(parse_count("--pids-limit", "0"), Error);
  CHECK(parse_health_time("--health-interval", "1m30s") == 90 * k_second);
  CHECK_THROWS_AS(parse_health_time("--health-interval", "1us"), Error);
}

TEST_CASE("exposed ports get ports of the host where nothing leads to them", "[containers]") {
  std::vector<Port> ports = {{"", 8000, 80, false}};
  add_exposed_ports({"80/tcp", "80/udp", "7000-7001/tcp"}, ports);
  REQUIRE(ports.size() == 4);
  CHECK(ports[0].host == 8000);
  CHECK((ports[1].udp && ports[1].container == 80 && ports[1].host != 0));
  CHECK((ports[2].container == 7000 && ports[3].container == 7001));
}

}  // namespace mbuild::containers
