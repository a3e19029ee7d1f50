// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace freshet::delta {

/// An ordered map by text whose copies share what they have in common: a copy costs nothing, a
/// change of it as many steps as the tree is high. A value, thread-safe as one: a map may be read
/// and copied by many threads, and each changes its own copy.
template <typename V>
class PersistentMap {
  // A treap: ordered by key from left to right and by priority from the root down.
  struct Node;
  using Link = std::shared_ptr<Node>;
  struct Node {
    std::pair<const std::string, V> entry;
    uint64_t priority = 0;
    Link left, right;
  };

 public:
  using value_type = std::pair<const std::string, V>;

  /// Valid as long as no map that had the entry is changed or gone.
  class const_iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = PersistentMap::value_type;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;

    reference operator*() const { return path_.back()->entry; }
    pointer operator->() const { return &path_.back()->entry; }
    const_iterator& operator++() {
      const Node* right = path_.back()->right.get();
      path_.pop_back();
      Descend(right);
      return *this;
    }
    const_iterator operator++(int) {
      const_iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const const_iterator& other) const { return Top() == other.Top(); }

   private:
    friend class PersistentMap;
    const Node* Top() const { return path_.empty() ? nullptr : path_.back(); }
    void Descend(const Node* node) {
      for (; node != nullptr; node = node->left.get()) path_.push_back(node);
    }
    std::vector<const Node*> path_;  // the node, and above it those that come after it
  };

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const_iterator begin() const {
    const_iterator first;
    first.Descend(root_.get());
    return first;
  }
  const_iterator end() const { return {}; }
  const_iterator find(const std::string& key) const {
    const_iterator found;
    for (const Node* node = root_.get(); node != nullptr;) {
      const int order = key.compare(node->entry.first);
      if (order <= 0) found.path_.push_back(node);
      if (order == 0) return found;
      node = order < 0 ? node->left.get() : node->right.get();
    }
    return end();
  }
  bool contains(const std::string& key) const { return find(key) != end(); }
  /// REQUIRES: the key is there.
  const V& at(const std::string& key) const {
    auto found = find(key);
    FRESHET_ASSERT(found != end(), "{}", key);
    return found->second;
  }
  /// Return the last entry. REQUIRES: there is one.
  const value_type& back() const {
    const Node* node = root_.get();
    while (node->right != nullptr) node = node->right.get();
    return node->entry;
  }
  void insert_or_assign(std::string key, V value) {
    // Neither order nor number of the keys makes a tree of scattered priorities high.
    const uint64_t priority = std::hash<std::string>{}(key)*0x9E3779B97F4A7C15;
    Put(&root_, std::move(key), std::move(value), priority);
  }
  size_t erase(const std::string& key) {
    if (!contains(key)) return 0;
    Erase(&root_, key);
    --size_;
    return 1;
  }
  void clear() { *this = PersistentMap(); }
  bool operator==(const PersistentMap& other) const {
    return size_ == other.size_ && std::equal(begin(), end(), other.begin());
  }

 private:
  /// Make a node this map's own. Its parent is already, so a single link is that parent's.
  static void Own(Link* link) {
    if (link->use_count() > 1) {
      *link = std::make_shared<Node>(**link);
    } else {
      // What another thread did with its copy before letting go of it happened before.
      std::atomic_thread_fence(std::memory_order_acquire);
    }
  }

  void Put(Link* link, std::string key, V value, uint64_t priority) {
    if (*link == nullptr) {
      *link = std::make_shared<Node>(
          Node{{std::move(key), std::move(value)}, priority, nullptr, nullptr});
      ++size_;
      return;
    }
    Own(link);
    Node& node = **link;
    const int order = key.compare(node.entry.first);
    if (order == 0) {
      node.entry.second = std::move(value);
      return;
    }
    Link& child = order < 0 ? node.left : node.right;
    Put(&child, std::move(key), std::move(value), priority);
    if (child->priority <= node.priority) return;
    Link up = std::move(child);
    Link& inner = order < 0 ? up->right : up->left;
    child = std::move(inner);
    inner = std::move(*link);
    *link = std::move(up);
  }

  static void Erase(Link* link, const std::string& key) {
    Own(link);
    const int order = key.compare((*link)->entry.first);
    if (order != 0) return Erase(order < 0 ? &(*link)->left : &(*link)->right, key);
    Link left = std::move((*link)->left), right = std::move((*link)->right);
    *link = Merge(std::move(left), std::move(right));
  }

  static Link Merge(Link left, Link right) {
    if (left == nullptr) return right;
    if (right == nullptr) return left;
    if (left->priority > right->priority) {
      Own(&left);
      left->right = Merge(std::move(left->right), std::move(right));
      return left;
    }
    Own(&right);
    right->left = Merge(std::move(left), std::move(right->left));
    return right;
  }

  Link root_;
  size_t size_ = 0;
};

}  // namespace freshet::delta
