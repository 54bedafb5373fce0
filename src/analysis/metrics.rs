//! Accuracy, balanced accuracy, macro F1, confusion and bootstrap intervals.
