//! CPU, CUDA or Metal.

use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What the user asked for with `--device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A GPU where one is there and the program was built for it, else the CPU.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
    /// An Apple GPU.
    Metal,
}

impl DeviceChoice {
    /// All choices.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Cpu, Self::Cuda, Self::Metal];

    /// The GPUs that it allows, the first one first.
    fn gpus(self) -> &'static [Gpu] {
        match self {
            Self::Cpu => &[],
            Self::Cuda => &[Gpu::Cuda],
            Self::Metal => &[Gpu::Metal],
            Self::Auto => &[Gpu::Cuda, Gpu::Metal],
        }
    }

    /// Whether the program was built for a GPU that it allows. Whether one is there is found out when it is needed.
    pub fn may_be_gpu(self) -> bool {
        self.gpus().iter().any(|gpu| gpu.is_built())
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            "metal" => Ok(Self::Metal),
            _ => Err(format!("'{text}' is no device; known are auto, cpu, cuda, metal")),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
        })
    }
}

/// Number format of the computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision, everywhere.
    #[default]
    F32,
    /// bfloat16, on a GPU only.
    Bf16,
    /// Half precision, on a GPU only.
    F16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        })
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            "f16" => Ok(Self::F16),
            _ => Err(format!("'{text}' is no precision; known are f32, bf16, f16")),
        }
    }
}

/// The device that was taken.
#[derive(Debug, Clone)]
pub(super) struct ChosenDevice {
    pub(super) device: Device,
    pub(super) dtype: DType,
    /// Which device and why, in one line.
    pub(super) note: String,
}

/// Takes the device that was asked for, or the CPU where it is not there; never panics and never fails.
pub(super) fn choose(choice: DeviceChoice, precision: Precision) -> ChosenDevice {
    let dtype = match precision {
        Precision::F32 => DType::F32,
        Precision::Bf16 => DType::BF16,
        Precision::F16 => DType::F16,
    };
    let cpu = |why: &str| {
        let slower = if dtype == DType::F32 { "" } else { ", in f32: lower precision is for GPUs" };
        ChosenDevice { device: Device::Cpu, dtype: DType::F32, note: format!("CPU{why}{slower}") }
    };
    match first_of(choice) {
        Ok(None) => cpu(""),
        Ok(Some((gpu, device))) => ChosenDevice { device, dtype, note: format!("{} in {precision:?}", gpu.name()) },
        Err(reason) => cpu(&format!(" ({reason})")),
    }
}

/// The GPU that was asked for; `None` stands for the CPU. Never panics.
///
/// # Errors
/// Why a GPU that was named is not there.
pub(crate) fn gpu(choice: DeviceChoice) -> Result<Option<Device>, String> {
    Ok(first_of(choice)?.map(|(_, device)| device))
}

/// The first GPU that is there of those that a choice allows, or why one that was named is not.
fn first_of(choice: DeviceChoice) -> Result<Option<(Gpu, Device)>, String> {
    let mut reasons = Vec::new();
    for &gpu in choice.gpus() {
        match gpu.open() {
            Ok(device) => return Ok(Some((gpu, device))),
            Err(reason) => reasons.push(format!("no {}: {reason}", gpu.name())),
        }
    }
    let may_be_the_cpu = matches!(choice, DeviceChoice::Auto | DeviceChoice::Cpu);
    if may_be_the_cpu { Ok(None) } else { Err(reasons.join("; ")) }
}

/// One line on which device would be taken, and why.
pub fn device_note(choice: DeviceChoice) -> String {
    choose(choice, Precision::F32).note
}

#[derive(Debug, Clone, Copy)]
enum Gpu {
    Cuda,
    Metal,
}

impl Gpu {
    fn name(self) -> &'static str {
        match self {
            Self::Cuda => "CUDA GPU",
            Self::Metal => "Metal GPU",
        }
    }

    /// Whether the program was built for it.
    fn is_built(self) -> bool {
        match self {
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Metal => cfg!(feature = "metal"),
        }
    }

    /// The device, or why there is none.
    fn open(self) -> Result<Device, String> {
        if !self.is_built() {
            return Err("this program was built without it".to_owned());
        }
        if let Self::Cuda = self
            && !driver::is_installed()
        {
            return Err("no NVIDIA driver is installed".to_owned());
        }
        // the bindings panic where a part of the driver is missing
        let opened = std::panic::catch_unwind(|| match self {
            Self::Cuda => Device::new_cuda(0),
            Self::Metal => Device::new_metal(0),
        });
        match opened {
            Ok(Ok(device)) => Ok(device),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("its driver does not answer".to_owned()),
        }
    }
}

/// Whether a driver is there, found out without loading it.
mod driver {
    use std::path::{Path, PathBuf};

    const LIBRARIES: [&str; 3] = ["libcuda.so.1", "libcuda.so", "nvcuda.dll"];
    const FOLDERS: [&str; 9] = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
        "/usr/lib/wsl/lib",
        "/usr/local/cuda/compat",
        "/usr/local/nvidia/lib64",
        "/run/opengl-driver/lib",
        r"C:\Windows\System32",
    ];

    pub(super) fn is_installed() -> bool {
        let named = std::env::var_os("LD_LIBRARY_PATH").map(|paths| std::env::split_paths(&paths).collect::<Vec<_>>());
        let folders = named.into_iter().flatten().chain(FOLDERS.iter().map(PathBuf::from));
        holds_driver(folders)
    }

    pub(super) fn holds_driver(mut folders: impl Iterator<Item = PathBuf>) -> bool {
        folders.any(|folder| LIBRARIES.iter().any(|library| Path::new(&folder).join(library).exists()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_gpu_falls_back_to_the_cpu_and_says_so() {
        if cfg!(any(feature = "cuda", feature = "metal")) {
            return;
        }
        for choice in [DeviceChoice::Cuda, DeviceChoice::Metal] {
            let chosen = choose(choice, Precision::Bf16);
            assert!(matches!(chosen.device, Device::Cpu));
            assert_eq!(chosen.dtype, DType::F32);
            assert!(chosen.note.contains("built without it") && chosen.note.contains("in f32"), "{}", chosen.note);
        }
        assert_eq!(device_note(DeviceChoice::Auto), "CPU");
        assert_eq!(device_note(DeviceChoice::Cpu), "CPU");
    }

    #[test]
    fn a_driver_is_found_by_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let look = || driver::holds_driver([folder.path().join("absent"), folder.path().to_owned()].into_iter());
        assert!(!look());
        std::fs::write(folder.path().join("libcuda.so.1"), b"").unwrap();
        assert!(look());
    }

    #[test]
    fn choices_are_read_back() {
        for choice in DeviceChoice::ALL {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert!("gpu".parse::<DeviceChoice>().is_err());
        assert_eq!("BF16".parse(), Ok(Precision::Bf16));
        assert!("f8".parse::<Precision>().is_err());
    }
}
