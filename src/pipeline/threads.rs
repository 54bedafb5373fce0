//! How many cores the work may use.

/// Limits all parallel work of this process to `threads` cores. Only the first call counts, so it comes before any work;
/// answers whether the limit holds now.
pub fn limit(threads: usize) -> bool {
    rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build_global().is_ok()
        || rayon::current_num_threads() == threads.max(1)
}

/// All cores of the machine.
pub fn all() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// All cores but one, which the window keeps for drawing; at least one.
pub fn all_but_one() -> usize {
    all().saturating_sub(1).max(1)
}
