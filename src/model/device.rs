//! CPU, CUDA or Metal.
