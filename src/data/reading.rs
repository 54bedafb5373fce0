//! How a barcode is read by a model: registered or not, which layers, which transform of the vectors.
//!
//! The names here are those of the command line (`--register`, `--layers`, `--transform`) and of a model's settings file. The
//! defaults are the published reading: not registered, last layer, untransformed.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Whose hidden states make the embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layers {
    /// The mean over the barcode's tokens of the last layer, `[D]`, as published.
    #[default]
    Last,
    /// The means of the embedding layer and of every encoder layer, each scaled to unit length, joined: `[(layers + 1) * D]`.
    All,
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Last => "last",
            Self::All => "all",
        })
    }
}

impl FromStr for Layers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "last" => Ok(Self::Last),
            "all" => Ok(Self::All),
            _ => Err(format!("'{text}' is no choice of layers; known are last, all")),
        }
    }
}

/// What is done to the vectors of a data set before they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TransformKind {
    /// Nothing, as published.
    #[default]
    None,
    /// The mean vector is taken off.
    Centre,
    /// Principal components scaled to unit variance: at most so many of them, or all that carry variance.
    Whiten(Option<usize>),
}

impl fmt::Display for TransformKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Centre => f.write_str("centre"),
            Self::Whiten(None) => f.write_str("whiten"),
            Self::Whiten(Some(components)) => write!(f, "whiten:{components}"),
        }
    }
}

impl FromStr for TransformKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = text.trim().to_ascii_lowercase();
        let unknown = || format!("'{text}' is no transform; known are none, centre, whiten, whiten:K with K from 1");
        match wanted.as_str() {
            "none" => Ok(Self::None),
            "centre" | "center" => Ok(Self::Centre),
            "whiten" => Ok(Self::Whiten(None)),
            other => {
                let components = other.strip_prefix("whiten:").and_then(|number| number.parse().ok());
                components.filter(|&k: &usize| k > 0).map(|k| Self::Whiten(Some(k))).ok_or_else(unknown)
            }
        }
    }
}

impl Serialize for TransformKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TransformKind {
    /// From `"whiten:512"` or from `{"whiten": 512}`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Map { whiten: Option<usize> },
        }
        let text = match Form::deserialize(deserializer)? {
            Form::Text(text) => text,
            Form::Map { whiten: None } => "whiten".to_owned(),
            Form::Map { whiten: Some(components) } => format!("whiten:{components}"),
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How a model reads by default, or how a run reads after the user's choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadSettings {
    /// Whether barcodes are registered to the COI-5P frame before they are cut into k-mers.
    pub register: bool,
    /// Whose hidden states make the embedding.
    pub layers: Layers,
    /// What is done to the vectors before they are compared.
    pub transform: TransformKind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for kind in
            [TransformKind::None, TransformKind::Centre, TransformKind::Whiten(None), TransformKind::Whiten(Some(512))]
        {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(serde_json::from_str::<TransformKind>(&json).unwrap(), kind);
        }
        for layers in [Layers::Last, Layers::All] {
            assert_eq!(layers.to_string().parse(), Ok(layers));
        }
        assert_eq!("CENTER".parse(), Ok(TransformKind::Centre));
        for wrong in ["whiten:0", "whiten:", "whiten:x", "whiten:-1", "pca", ""] {
            assert!(wrong.parse::<TransformKind>().unwrap_err().contains("whiten:K"), "{wrong}");
        }
        assert!("first".parse::<Layers>().is_err());
    }

    #[test]
    fn settings_come_from_both_ways_of_writing_and_default_to_the_published_reading() {
        let read = |json: &str| serde_json::from_str::<ReadSettings>(json);
        let starter = ReadSettings { register: true, layers: Layers::All, transform: TransformKind::Whiten(Some(512)) };
        assert_eq!(
            read(r#"{"register": true, "layers": "all", "transform": {"whiten": 512}, "pooling": "mean"}"#).unwrap(),
            starter
        );
        assert_eq!(read(&serde_json::to_string(&starter).unwrap()).unwrap(), starter);
        assert_eq!(read("{}").unwrap(), ReadSettings::default());
        assert_eq!(ReadSettings::default().layers, Layers::Last);
        assert!(read(r#"{"transform": {"whiten": 0}}"#).is_err());
        assert!(read(r#"{"layers": "most"}"#).is_err());
    }
}
