//! Numbers of attention heads that a width can be divided among.

/// Most heads that are offered.
const MOST: usize = 64;

/// The numbers of heads that divide a width, ascending.
pub fn possible_heads(width: usize) -> Vec<usize> {
    (1..=MOST.min(width)).filter(|heads| width.is_multiple_of(*heads)).collect()
}

/// Of the numbers of heads that divide a width, the largest that is not above `wanted`; 1 where there is none.
pub fn fitting_heads(width: usize, wanted: usize) -> usize {
    possible_heads(width).into_iter().rfind(|&heads| heads <= wanted).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_divide_the_width() {
        assert_eq!(possible_heads(12), [1, 2, 3, 4, 6, 12]);
        assert_eq!(possible_heads(0), [0; 0]);
        assert!(possible_heads(4096).iter().all(|&heads| heads <= MOST));
        assert_eq!(
            [fitting_heads(768, 12), fitting_heads(250, 4), fitting_heads(7, 4), fitting_heads(0, 4)],
            [12, 2, 1, 1]
        );
    }
}
