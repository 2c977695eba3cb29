// The request pipeline of pipeline.ts in SystemC: a server and a request are SC_METHODs with an event
// each. Argument: requests in flight. For each number of seconds read, it runs that long and prints
// {"events", "seconds", "early"}; the last is the requests completed in the first two simulated ms,
// to compare the models.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <deque>
#include <memory>
#include <systemc>
#include <vector>

using namespace sc_core;

enum { LATENCY = -1, DRIVER, BUS, DEVICE, MEDIUM, SERVERS };

struct Step {
  int where;
  sc_time duration;
};

static std::vector<Step> steps;
static uint64_t completed = 0;

struct Request;

struct Server : sc_module {
  SC_HAS_PROCESS(Server);
  sc_event served;
  std::deque<Request *> waiting;

  explicit Server(sc_module_name name) : sc_module(name) {
    SC_METHOD(finish);
    sensitive << served;
    dont_initialize();
  }

  void enter(Request *request);
  void serve();
  void finish();
};

static std::vector<std::unique_ptr<Server>> servers;

struct Request : sc_module {
  SC_HAS_PROCESS(Request);
  sc_event passed;
  size_t step = 0;

  explicit Request(sc_module_name name) : sc_module(name) {
    SC_METHOD(finish);
    sensitive << passed;
    dont_initialize();
  }

  void enter() {
    const Step &now = steps[step];
    if (now.where == LATENCY) {
      passed.notify(now.duration);
    } else {
      servers[now.where]->enter(this);
    }
  }

  void finish() {
    if (++step == steps.size()) {
      completed++;
      step = 0;
    }
    enter();
  }
};

void Server::enter(Request *request) {
  waiting.push_back(request);
  if (waiting.size() == 1) serve();
}

void Server::serve() { served.notify(steps[waiting.front()->step].duration); }

void Server::finish() {
  Request *request = waiting.front();
  waiting.pop_front();
  if (!waiting.empty()) serve();
  request->finish();
}

/** CPU seconds of this process. */
static double now() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

int sc_main(int argc, char **argv) {
  if (argc != 2) return 2;
  const unsigned inFlight = std::atoi(argv[1]);
  sc_set_time_resolution(1, SC_PS);
  const struct {
    int where;
    unsigned ps;
  } table[] = {
      {DRIVER, 400000}, {BUS, 20000},      {LATENCY, 250000}, {DEVICE, 300000}, {LATENCY, 150000},
      {LATENCY, 150000}, {DEVICE, 200000}, {MEDIUM, 350000},  {LATENCY, 400000}, {DEVICE, 150000},
      {BUS, 20000},     {LATENCY, 250000}, {DRIVER, 250000},  {DRIVER, 150000},
  };
  for (const auto &row : table) steps.push_back({row.where, sc_time::from_value(row.ps)});
  for (int i = 0; i < SERVERS; i++) {
    servers.push_back(std::make_unique<Server>(sc_gen_unique_name("server")));
  }
  std::vector<std::unique_ptr<Request>> requests;
  for (unsigned i = 0; i < inFlight; i++) {
    requests.push_back(std::make_unique<Request>(sc_gen_unique_name("request")));
  }
  for (auto &request : requests) request->enter();
  const sc_time slice(1, SC_MS);
  sc_start(2 * slice);
  const uint64_t early = completed;
  double wanted;
  while (std::cin >> wanted) {
    const uint64_t before = completed;
    const double start = now();
    double seconds = 0;
    while (seconds < wanted) {
      sc_start(slice);
      seconds = now() - start;
    }
    std::printf("{\"events\":%llu,\"seconds\":%.6f,\"early\":%llu}\n",
                (unsigned long long)((completed - before) * steps.size()), seconds,
                (unsigned long long)early);
    std::fflush(stdout);
  }
  std::_Exit(0);
}
