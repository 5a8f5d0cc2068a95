#pragma once

#include <stop_token>
#include <string>

#include "containers/attach.h"
#include "containers/attend.h"
#include "containers/options.h"
#include "containers/shelf.h"
#include "executor/api/build_request.h"

namespace mbuild::containers {

// How a container ended, or why it never began: a status as docker's.
inline constexpr int k_not_started = 125, k_not_executable = 126, k_not_found = 127;

// The status for an error that kept a program from running.
int status_of(const Error& error);

// What a container is to be made with; `name` may be "".
Record new_record(const Options& options, const std::string& name, bool remove, bool less_isolation);

// Runs a container in the foreground: this process attends it, and both end together. Returns the status of its
// program. Throws Error where it was not started, and there is no container then; Cancelled where a signal came before.
int run_attended(const executor::SessionRequest& session, const Record& record, const Streams& streams);

// argv[1] of the process of a container in the background; argv[2] is the directory of the store, argv[3] the id, and
// its standard input a socket, by which it tells once that the program runs, or why not.
inline constexpr const char* k_supervisor_argument = "internal-container";

// A container in the background before which somebody sits from its beginning on. Throws as run_detached does.
Attached run_apart(const executor::SessionRequest& session, const Record& record);

// Runs one that is there and does not run, as those above; it goes on with what it has written. Throws Error (usage)
// where it runs.
int run_attended_again(const executor::SessionRequest& session, const Container& container, const Streams& streams);
Attached start_apart(const executor::SessionRequest& session, const Container& container);
void start_again(const executor::SessionRequest& session, const Container& container);

// Makes one without starting it: its image and what of it is its own are there. Throws Error, and there is none then.
void create_container(const executor::SessionRequest& session, const Record& record);

// Starts such a process, and returns when the program of the container runs. Throws Error where it was not started.
void run_detached(const executor::SessionRequest& session, const Record& record);

// The life of such a process.
int supervise(const executor::SessionRequest& session, const std::string& id, int caller);

// Has the shelf of a store. Throws Error (store).
Shelf shelf_of(const std::string& store_root);

// Deletes containers that do not run, with what they have written, and with those of their volumes that nobody chose a
// name for where `volumes` says so. Returns those that run by now, and stay.
std::vector<Container> remove_containers(const std::string& store_root, const std::vector<Container>& containers,
                                         bool volumes);

}  // namespace mbuild::containers
