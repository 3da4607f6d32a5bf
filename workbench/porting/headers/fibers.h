// The threads of one block as fibers: each runs until it waits, and goes on when those that it waits for have come.
#pragma once

#include <stdint.h>
#include <ucontext.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace port {

constexpr unsigned WARP = 32;
constexpr size_t STACK = 256 * 1024;

enum class State { ready, at_barrier, in_warp, done };

struct Fiber {
  ucontext_t context;
  State state;
  unsigned mask;     // the lanes that it waits for
  uint64_t posted;   // what it hands to them, or to the block
  uint64_t answers[WARP];  // what each lane that it met handed over
  unsigned met;      // the lanes that it met
};

class Fibers {
 public:
  // Runs body(thread) for each thread of a block. Throws std::runtime_error where threads wait in vain.
  void run(unsigned threads, const std::function<void(unsigned)>& body) {
    body_ = &body;
    while (stacks_.size() < threads) {
      stacks_.emplace_back(new char[STACK]);
    }
    fibers_.resize(threads);
    for (unsigned t = 0; t < threads; ++t) {
      Fiber& fiber = fibers_[t];
      fiber.state = State::ready;
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = stacks_[t].get();
      fiber.context.uc_stack.ss_size = STACK;
      fiber.context.uc_link = nullptr;
      makecontext(&fiber.context, entry, 0);
    }
    while (resume_ready()) {
      release();
    }
  }

  static Fibers*& current() {
    static thread_local Fibers* running = nullptr;
    return running;
  }

  // Waits for the block; the number of threads that came with a value other than 0, and how many came.
  std::pair<int, int> meet_block(bool vote) {
    Fiber& fiber = fibers_[thread_];
    fiber.posted = vote;
    wait(State::at_barrier);
    return {votes_, came_};
  }

  // Waits for the lanes of the mask and hands them a value.
  const Fiber& meet_warp(unsigned mask, uint64_t posted) {
    Fiber& fiber = fibers_[thread_];
    fiber.posted = posted;
    fiber.mask = mask;
    wait(State::in_warp);
    return fiber;
  }

  unsigned lane() const { return thread_ % WARP; }

 private:
  static void entry() {
    Fibers& fibers = *current();
    (*fibers.body_)(fibers.thread_);
    fibers.wait(State::done);
  }

  void wait(State state) {
    Fiber& fiber = fibers_[thread_];
    fiber.state = state;
    swapcontext(&fiber.context, &scheduler_);
  }

  bool resume_ready() {
    bool any = false;
    current() = this;
    for (unsigned t = 0; t < fibers_.size(); ++t) {
      if (fibers_[t].state == State::ready) {
        any = true;
        thread_ = t;
        swapcontext(&scheduler_, &fibers_[t].context);
      }
    }
    return any;
  }

  // Lets those go on that have met.
  void release() {
    bool released = false;
    for (unsigned first = 0; first < fibers_.size(); first += WARP) {
      released |= release_warp(first);
    }
    int live = 0;
    came_ = votes_ = 0;
    for (const Fiber& fiber : fibers_) {
      live += fiber.state != State::done;
      came_ += fiber.state == State::at_barrier;
      votes_ += fiber.state == State::at_barrier && fiber.posted != 0;
    }
    if (released || live == 0) {
      return;
    }
    if (came_ < live) {
      throw std::runtime_error("divergent barrier: " + std::to_string(came_) + " of " + std::to_string(live) +
                               " threads wait for the block, the others for lanes of their warp that do not come");
    }
    for (Fiber& fiber : fibers_) {
      if (fiber.state == State::at_barrier) {
        fiber.state = State::ready;
      }
    }
  }

  bool release_warp(unsigned first) {
    const unsigned count = std::min<unsigned>(WARP, fibers_.size() - first);
    unsigned live = 0;
    unsigned waiting = 0;
    for (unsigned lane = 0; lane < count; ++lane) {
      live |= unsigned(fibers_[first + lane].state != State::done) << lane;
      waiting |= unsigned(fibers_[first + lane].state == State::in_warp) << lane;
    }
    bool released = false;
    for (unsigned lane = 0; lane < count; ++lane) {
      const unsigned mask = fibers_[first + lane].mask & live;
      unsigned same = 0;  // lanes that wait with the same mask
      for (unsigned each = 0; each < count; ++each) {
        same |= unsigned((waiting >> each & 1) && (fibers_[first + each].mask & live) == mask) << each;
      }
      if (!(same >> lane & 1) || (mask & ~same) != 0) {
        continue;
      }
      for (unsigned each = 0; each < count; ++each) {
        Fiber& fiber = fibers_[first + each];
        if (mask >> each & 1) {
          fiber.met = mask;
          for (unsigned other = 0; other < count; ++other) {
            fiber.answers[other] = fibers_[first + other].posted;
          }
          fiber.state = State::ready;
        }
      }
      waiting &= ~mask;
      released = true;
    }
    return released;
  }

  std::vector<Fiber> fibers_;
  std::vector<std::unique_ptr<char[]>> stacks_;
  ucontext_t scheduler_;
  const std::function<void(unsigned)>* body_ = nullptr;
  unsigned thread_ = 0;
  int votes_ = 0;
  int came_ = 0;
};

}  // namespace port
