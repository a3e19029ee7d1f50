// SPDX-License-Identifier: Apache-2.0
#include "base/bounded_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace freshet {
namespace {

Deadline Past() { return SystemClock().Now(); }
Deadline Far() { return SystemClock().Now() + std::chrono::minutes(1); }

TEST(BoundedQueue, GivesBackInOrder) {
  BoundedQueue<int> queue(100);
  std::stop_token never;
  EXPECT_TRUE(queue.Push(1, 10, never));
  EXPECT_TRUE(queue.Push(2, 10, never));
  EXPECT_EQ(queue.Pop(Past(), never), 1);
  EXPECT_EQ(queue.Pop(Past(), never), 2);
  EXPECT_EQ(queue.Pop(Past(), never), std::nullopt);
}

TEST(BoundedQueue, OneItemAlwaysFits) {
  BoundedQueue<int> queue(10);
  EXPECT_TRUE(queue.Push(1, 1'000, {}));
  EXPECT_EQ(queue.Pop(Past(), {}), 1);
}

TEST(BoundedQueue, MovesWhatCannotBeCopied) {
  BoundedQueue<std::unique_ptr<int>> queue(10);
  EXPECT_TRUE(queue.Push(std::make_unique<int>(3), 1, {}));
  auto item = queue.Pop(Past(), {});
  ASSERT_TRUE(item.has_value());
  EXPECT_EQ(**item, 3);
}

TEST(BoundedQueue, AFullQueueHoldsTheProducerBack) {
  BoundedQueue<int> queue(10);
  constexpr int kItems = 1'000;
  std::atomic<int> pushed = 0;
  std::jthread producer([&](const std::stop_token& stop) {
    for (int i = 0; i < kItems; ++i) {
      ASSERT_TRUE(queue.Push(i, 6, stop));  // two of them never fit
      ++pushed;
    }
  });
  for (int i = 0; i < kItems; ++i) {
    EXPECT_LE(pushed.load(), i + 1);
    EXPECT_EQ(queue.Pop(Far(), {}), i);
  }
}

TEST(BoundedQueue, StopFreesABlockedProducer) {
  BoundedQueue<int> queue(10);
  ASSERT_TRUE(queue.Push(1, 10, {}));
  bool accepted = true;
  std::jthread producer([&](const std::stop_token& stop) { accepted = queue.Push(2, 10, stop); });
  producer.request_stop();
  producer.join();
  EXPECT_FALSE(accepted);
  EXPECT_EQ(queue.Pop(Past(), {}), 1);
  EXPECT_EQ(queue.Pop(Past(), {}), std::nullopt) << "the refused item was dropped";
}

TEST(BoundedQueue, StopFreesABlockedConsumer) {
  BoundedQueue<int> queue(10);
  std::optional<int> got = 1;
  std::jthread consumer([&](const std::stop_token& stop) { got = queue.Pop(Far(), stop); });
  consumer.request_stop();
  consumer.join();
  EXPECT_EQ(got, std::nullopt);
}

TEST(BoundedQueue, CloseKeepsWhatIsQueued) {
  BoundedQueue<int> queue(10);
  ASSERT_TRUE(queue.Push(1, 1, {}));
  queue.Close();
  EXPECT_FALSE(queue.Push(2, 1, {}));
  EXPECT_FALSE(queue.closed_and_empty());
  EXPECT_EQ(queue.Pop(Far(), {}), 1);
  EXPECT_TRUE(queue.closed_and_empty());
  EXPECT_EQ(queue.Pop(Far(), {}), std::nullopt) << "closed and empty does not wait";
}

TEST(BoundedQueue, ManyProducersLoseNothing) {
  BoundedQueue<int> queue(64);
  std::vector<int> seen(4 * 500, 0);
  {
    std::vector<std::jthread> producers;
    for (int p = 0; p < 4; ++p) {
      producers.emplace_back([&queue, p] {
        for (int i = 0; i < 500; ++i) ASSERT_TRUE(queue.Push(p * 500 + i, 8, {}));
      });
    }
    for (size_t i = 0; i < seen.size(); ++i) {
      auto item = queue.Pop(Far(), {});
      ASSERT_TRUE(item.has_value());
      ++seen[static_cast<size_t>(*item)];
    }
  }
  EXPECT_EQ(seen, std::vector<int>(seen.size(), 1));
}

}  // namespace
}  // namespace freshet
