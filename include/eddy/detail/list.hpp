// SPDX-License-Identifier: MIT
// Intrusive lists: what waits, what is ready, what exists (for task_core.hpp, locks.hpp, queues.hpp).
#pragma once

namespace eddy::detail {

/// A link of a circular list. A node that is in no list has null links.
struct ListNode {
  ListNode* next = nullptr;
  ListNode* prev = nullptr;

  bool is_linked() const noexcept { return next != nullptr; }

  void unlink() noexcept {
    next->prev = prev;
    prev->next = next;
    next = prev = nullptr;
  }
};

/// A circular list with a sentinel: a node leaves it without knowing it. It must not move.
class List {
 public:
  List() noexcept { head_.next = head_.prev = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const noexcept { return head_.next == &head_; }
  ListNode* front() const noexcept { return head_.next; }
  const ListNode* end() const noexcept { return &head_; }

  void push_back(ListNode& node) noexcept {
    node.next = &head_;
    node.prev = head_.prev;
    head_.prev->next = &node;
    head_.prev = &node;
  }

  /// Takes all of `other`'s nodes, in order, behind its own.
  void splice_back(List& other) noexcept {
    if (other.empty()) return;
    other.head_.next->prev = head_.prev;
    other.head_.prev->next = &head_;
    head_.prev->next = other.head_.next;
    head_.prev = other.head_.prev;
    other.head_.next = other.head_.prev = &other.head_;
  }

 private:
  ListNode head_;
};

/// A circular list of one pointer, for objects that count their bytes: a node leaves it through the ring.
class Ring {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  ListNode* front() const noexcept { return first_; }

  void push_back(ListNode& node) noexcept {
    if (!first_) {
      first_ = node.next = node.prev = &node;
      return;
    }
    node.next = first_;
    node.prev = first_->prev;
    first_->prev->next = &node;
    first_->prev = &node;
  }

  void remove(ListNode& node) noexcept {
    if (node.next == &node) {
      first_ = node.next = node.prev = nullptr;
      return;
    }
    if (first_ == &node) first_ = node.next;
    node.unlink();
  }

 private:
  ListNode* first_ = nullptr;
};

/// Whether a ready node is to do its work, or only to free what it holds because the loop is closed.
enum class Dispatch : bool { run, discard };

/// What the loop can run: a task's step, a callback. It is in one queue at most.
struct ReadyNode {
  ReadyNode* next_ready = nullptr;
  void (*run)(ReadyNode&, Dispatch) noexcept = nullptr;
};

/// First in, first out, singly linked: push and pop cost two stores.
class ReadyQueue {
 public:
  ReadyQueue() = default;
  ReadyQueue(const ReadyQueue&) = delete;
  ReadyQueue& operator=(const ReadyQueue&) = delete;

  bool empty() const noexcept { return head_ == nullptr; }

  void push(ReadyNode& node) noexcept {
    node.next_ready = nullptr;
    *tail_ = &node;
    tail_ = &node.next_ready;
  }

  /// Nodes that hang on each other's `next_ready`, from `first` to `last`.
  void push_chain(ReadyNode& first, ReadyNode& last) noexcept {
    last.next_ready = nullptr;
    *tail_ = &first;
    tail_ = &last.next_ready;
  }

  /// Empties the queue and gives its first node; the rest hangs on `next_ready`.
  ReadyNode* take_all() noexcept {
    ReadyNode* first = head_;
    head_ = nullptr;
    tail_ = &head_;
    return first;
  }

  /// Puts a chain taken with take_all() back, before what came since.
  void put_back(ReadyNode* first) noexcept {
    if (!first) return;
    ReadyNode* last = first;
    while (last->next_ready) last = last->next_ready;
    last->next_ready = head_;
    if (!head_) tail_ = &last->next_ready;
    head_ = first;
  }

 private:
  ReadyNode* head_ = nullptr;
  ReadyNode** tail_ = &head_;
};

}  // namespace eddy::detail
