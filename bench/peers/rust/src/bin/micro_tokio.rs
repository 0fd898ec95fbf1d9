// SPDX-License-Identifier: MIT
// The items of micro_limit.cpp with tokio's current_thread runtime; sizes as in micro.hpp. What tokio has no
// counterpart of (generators) prints nothing.
//
//     $ micro_tokio ITEM
use futures_util::future::poll_fn;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, Mutex, Notify};
use tokio::task::{spawn, unconstrained, yield_now};

fn report(name: &str, value: f64) {
    println!("{name} {value:.2}");
}
fn print_since(name: &str, began: Instant, operations: usize) {
    report(name, began.elapsed().as_nanos() as f64 / operations as f64);
}
fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 4096.0
}
fn random_delays(count: usize, span: u64) -> Vec<Duration> {
    let mut x = 88172645463325252u64;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    (0..count).map(|_| Duration::from_nanos(next() % span)).collect()
}

async fn yields(name: &str, tasks: usize) {
    const YIELDS: usize = 4_000_000;
    let began = Instant::now();
    let yielder = |count| async move {
        for _ in 0..count {
            yield_now().await;
        }
    };
    let all: Vec<_> = (0..tasks).map(|_| spawn(yielder(YIELDS / tasks))).collect();
    for task in all {
        task.await.unwrap();
    }
    print_since(name, began, YIELDS);
}

async fn number(value: usize) -> usize {
    value
}
async fn batches(name: &str, batch: usize, rounds: usize) {
    let (mut sum, began) = (0, Instant::now());
    for _ in 0..rounds {
        let all: Vec<_> = (0..batch).map(|i| spawn(number(i))).collect();
        for task in all {
            sum += task.await.unwrap();
        }
    }
    print_since(name, began, batch * rounds);
    assert_eq!(sum, rounds * (batch * (batch - 1) / 2));
}

// Boxed, as a recursive or dynamic call is; a chain that the compiler sees through is one state machine.
fn nested(depth: usize) -> Pin<Box<dyn Future<Output = usize>>> {
    Box::pin(async move { if depth > 1 { nested(depth - 1).await + 1 } else { 1 } })
}
// Hides a number from the optimiser: Debian's rustc has no std::hint::black_box yet.
fn hidden(n: usize) -> usize {
    unsafe { std::ptr::read_volatile(&n) }
}
async fn awaits(name: &str, depth: usize) {
    const AWAITS: usize = 5_000_000;
    let (mut sum, began) = (0, Instant::now());
    for _ in 0..AWAITS / depth {
        sum += nested(hidden(depth)).await;
    }
    print_since(name, began, AWAITS);
    assert_eq!(sum, AWAITS);
}

async fn arm_and_cancel(delays: &[Duration]) {
    let mut all: Vec<_> = delays.iter().map(|delay| Box::pin(tokio::time::sleep(*delay))).collect();
    // A sleep is armed when it is first polled.
    poll_fn(|context| {
        for sleep in all.iter_mut() {
            let _ = sleep.as_mut().poll(context);
        }
        Poll::Ready(())
    })
    .await;
}

async fn timers() {
    const TIMERS: usize = 1_000_000;
    const ROUNDS: usize = 3;
    let delays = random_delays(TIMERS, 10_000_000_000);
    for _ in 1..ROUNDS {
        arm_and_cancel(&delays).await;
    }
    let began = Instant::now();
    arm_and_cancel(&delays).await;
    print_since("timer_arm_cancel", began, TIMERS);
}

async fn let_all_start() {
    for _ in 0..5_000 {
        yield_now().await;
    }
}

async fn sleep_tasks() {
    const CANCELS: usize = 100_000;
    let arming = Instant::now();
    let all: Vec<_> = (0..CANCELS).map(|_| spawn(tokio::time::sleep(Duration::from_secs(3600)))).collect();
    let_all_start().await;
    print_since("sleep_task_arm", arming, CANCELS);
    let (mut cancelled, cancelling) = (0, Instant::now());
    for task in &all {
        task.abort();
    }
    for task in all {
        cancelled += task.await.unwrap_err().is_cancelled() as usize;
    }
    print_since("cancel_no_throw", cancelling, CANCELS);
    assert_eq!(cancelled, CANCELS);
}

async fn lateness() {
    const SLEEPERS: usize = 10_000;
    let sleeper = |delay| async move {
        let due = Instant::now() + delay;
        tokio::time::sleep(delay).await;
        due.elapsed().as_nanos() as f64 / 1e3
    };
    let delays = random_delays(SLEEPERS, 49_000_000);
    let all: Vec<_> = delays.into_iter().map(|delay| spawn(sleeper(Duration::from_millis(1) + delay))).collect();
    let mut late = vec![];
    for task in all {
        late.push(task.await.unwrap());
    }
    late.sort_by(|a, b| a.partial_cmp(b).unwrap());
    report("sleep_late_mean_us", late.iter().sum::<f64>() / SLEEPERS as f64);
    report("sleep_late_p99_us", late[SLEEPERS * 99 / 100]);
}

async fn queue() {
    const ITEMS: usize = 3_000_000;
    let (sender, mut receiver) = mpsc::channel::<u32>(128);
    let began = Instant::now();
    let producer = spawn(async move {
        for _ in 0..ITEMS {
            sender.send(1).await.unwrap();
        }
    });
    let consumer = spawn(async move {
        let mut sum = 0;
        while let Some(item) = receiver.recv().await {
            sum += item as usize;
        }
        sum
    });
    producer.await.unwrap();
    assert_eq!(consumer.await.unwrap(), ITEMS);
    print_since("queue_item", began, ITEMS);
}

async fn lock() {
    const ROUNDS: usize = 500_000;
    struct State {
        owner: usize,
        handed_over: usize,
    }
    let mutex = Arc::new(Mutex::new(State { owner: 9, handed_over: 0 }));
    let began = Instant::now();
    let locker = |own: usize, mutex: Arc<Mutex<State>>| async move {
        for _ in 0..ROUNDS {
            let mut held = mutex.lock().await;
            held.handed_over += (held.owner != own) as usize;
            held.owner = own;
            yield_now().await;
        }
    };
    let both: Vec<_> = (0..2).map(|own| spawn(locker(own, mutex.clone()))).collect();
    for task in both {
        task.await.unwrap();
    }
    print_since("lock_handoff", began, mutex.lock().await.handed_over);
}

// An unbounded channel: tokio's way to hand small things from a thread to a task.
async fn post(name: &str, producers: usize) {
    const POSTS: usize = 1_000_000;
    let (sender, mut receiver) = mpsc::unbounded_channel::<Box<dyn FnOnce() + Send>>();
    let run = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let threads: Vec<_> = (0..producers)
        .map(|_| {
            let (sender, run) = (sender.clone(), run.clone());
            std::thread::spawn(move || {
                for _ in 0..POSTS / producers {
                    let run = run.clone();
                    let call = move || {
                        run.fetch_add(1, Ordering::Relaxed);
                    };
                    assert!(sender.send(Box::new(call)).is_ok());
                }
            })
        })
        .collect();
    drop(sender);
    while let Some(call) = receiver.recv().await {
        call();
    }
    print_since(name, began, POSTS);
    assert_eq!(run.load(Ordering::Relaxed), POSTS);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

async fn memory() {
    const WAITING: usize = 200_000;
    let event = Arc::new(Notify::new());
    let mut all = Vec::with_capacity(WAITING);
    let waiter = |event: Arc<Notify>| async move { event.notified().await };
    let before = resident_bytes();
    for _ in 0..WAITING {
        all.push(spawn(waiter(event.clone())));
    }
    let_all_start().await;
    report("waiting_task_bytes", (resident_bytes() - before) / WAITING as f64);
    event.notify_waiters();
    for task in all {
        task.await.unwrap();
    }
}

async fn to_thread() {
    const JOBS: usize = 20_000;
    let (mut n, began) = (0, Instant::now());
    for _ in 0..JOBS {
        n = tokio::task::spawn_blocking(move || n + 1).await.unwrap();
    }
    print_since("to_thread", began, JOBS);
    assert_eq!(n, JOBS);
}

fn main() {
    let item = std::env::args().nth(1).expect("usage: micro_tokio ITEM");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // The measuring task would be sent to the back by tokio's cooperative budget.
    runtime.block_on(unconstrained(async move {
        match item.as_str() {
            "yield" => {
                yields("yield_1", 1).await;
                yields("yield_100", 100).await;
            }
            "spawn" => batches("spawn_join", 1_000, 1_000).await,
            "await" => {
                awaits("await_1", 1).await;
                awaits("await_10", 10).await;
            }
            "gather" => batches("gather_100", 100, 5_000).await,
            "timer" => timers().await,
            "sleep" => sleep_tasks().await,
            "late" => lateness().await,
            "queue" => queue().await,
            "lock" => lock().await,
            "post" => post("post", 1).await,
            "many" => post("post_many", 4).await,
            "memory" => memory().await,
            "thread" => to_thread().await,
            _ => {}
        }
    }));
}
