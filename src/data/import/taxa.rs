//! Names of higher taxa, to tell which rank a single word in a header stands for.
//!
//! A word is given a rank only if it stands in one of these lists or has the ending that the code of zoological nomenclature
//! reserves for the rank (-idae, -inae). The lists are the public vocabulary of the classifications in use at BOLD, NCBI and
//! WoRMS, old names included, because files carry them.

use crate::data::taxonomy::Field;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Phyla, sorted.
const PHYLA: &str = "Acanthocephala Actinobacteria Amoebozoa Annelida Anthocerotophyta Apicomplexa Arthropoda Ascomycota \
    Bacillariophyta Bacteroidetes Basidiomycota Brachiopoda Bryophyta Bryozoa Cercozoa Chaetognatha Charophyta \
    Chlorophyta Chordata Chytridiomycota Ciliophora Cnidaria Cryptophyta Ctenophora Cyanobacteria Cycliophora \
    Dicyemida Dinophyta Echinodermata Entoprocta Euglenozoa Firmicutes Foraminifera Gastrotricha Glomeromycota \
    Gnathostomulida Haptophyta Hemichordata Heterokontophyta Kinorhyncha Loricifera Lycopodiophyta Magnoliophyta \
    Marchantiophyta Mollusca Mucoromycota Nematoda Nematomorpha Nemertea Ochrophyta Onychophora Oomycota \
    Orthonectida Phoronida Pinophyta Placozoa Platyhelminthes Porifera Priapulida Proteobacteria Pseudomonadota \
    Pteridophyta Rhodophyta Rotifera Sipuncula Streptophyta Tardigrada Tracheophyta Xenacoelomorpha Zygomycota";

/// Classes, sorted.
const CLASSES: &str = "Actinopteri Actinopterygii Agaricomycetes Alphaproteobacteria Amphibia Anopla Anthozoa Appendicularia Arachnida \
    Archiacanthocephala Ascidiacea Asteroidea Aves Bacilli Bangiophyceae Betaproteobacteria Bigyra Bivalvia \
    Branchiopoda Bryopsida Calcarea Caudofoveata Cephalaspidomorphi Cephalocarida Cephalopoda Cestoda Chilopoda \
    Chondrichthyes Chromadorea Chrysophyceae Cladistii Clitellata Collembola Copepoda Crinoidea Crocodylia \
    Cryptophyceae Cubozoa Demospongiae Diplopoda Diplura Dipneusti Dothideomycetes Echinoidea Elasmobranchii Enopla \
    Enoplea Entognatha Eoacanthocephala Eurotatoria Eurotiomycetes Eustigmatophyceae Eutardigrada Florideophyceae \
    Gammaproteobacteria Gastropoda Glaucocystophyceae Gordioida Gymnolaemata Heterotardigrada Hexactinellida \
    Hexanauplia Hirudinea Holocephali Holothuroidea Homoscleromorpha Hydrozoa Ichthyosporea Ichthyostraca Insecta \
    Jungermanniopsida Lecanoromycetes Leotiomycetes Lepidosauria Leptocardii Liliopsida Lingulata Magnoliopsida \
    Malacostraca Mammalia Maxillopoda Merostomata Monogenea Monogononta Monoplacophora Myxini Nuda Oligochaeta \
    Ophiuroidea Ostracoda Palaeacanthocephala Palaeonemertea Pararotatoria Pauropoda Pelagophyceae Petromyzonti \
    Phaeophyceae Phylactolaemata Pilidiophora Pinopsida Polychaeta Polyplacophora Polypodiopsida Priapulimorpha \
    Protura Pterobranchia Pucciniomycetes Pycnogonida Raphidophyceae Remipedia Reptilia Rhabditophora Rhynchonellata \
    Sagittoidea Sarcopterygii Scaphopoda Scyphozoa Solenogastres Sordariomycetes Staurozoa Stenolaemata Symphyla \
    Synurophyceae Tentaculata Thaliacea Thecostraca Trematoda Tremellomycetes Turbellaria Udeonychophora Ulvophyceae \
    Ustilaginomycetes";

/// Orders, sorted; old names too, since files carry them.
const ORDERS: &str = "Acanthobdellida Acari Accipitriformes Acerentomata Acipenseriformes Acoela Actiniaria Actinulida Adapedonta \
    Adinetida Afrosoricida Agaricales Agelasida Albuliformes Alcyonacea Amblypygi Amiiformes Amphidiscosida \
    Amphilepidida Amphinomida Amphioxiformes Amphipoda Anabantiformes Anaspidacea Anaspidea Anguilliformes Anomopoda \
    Anostraca Anseriformes Anthoathecata Anthoathecatae Antipatharia Anura Aphelenchida Aphragmophora Apiales \
    Aplousobranchia Aplysiida Apochela Apodida Apodiformes Apterygiformes Apusomonadida Araeolaimida Araneae \
    Arbacioida Archaeognatha Architaenioglossa Arcida Arcoida Argentiniformes Arguloida Arhynchobdellida \
    Arthrotardigrada Artiodactyla Ascaridida Asparagales Aspidochirotida Aspidodiadematoida Asterales Astigmata \
    Atheriniformes Aulopiformes Axinellida Azygiida Baerida Balanomorpha Bangiales Basommatophora Bathynellacea \
    Batrachoidiformes Bdelloida Beloniformes Beroida Beryciformes Bicosoecida Biemnida Blattaria Blattodea \
    Blenniiformes Boletales Bonnemaisoniales Bothriocephalidea Brachypoda Branchiobdellida Brassicales Brisingida \
    Bryopsidales Bubarida Bucerotiformes Bursovaginoidea Caenogastropoda Calanoida Callipodida Callochitonida \
    Camaradonta Camarodonta Capitellida Capnodiales Caprimulgiformes Capsalidea Carangiformes Carcharhiniformes \
    Cardiida Carditida Cariamiformes Carnivora Carybdeida Caryophyllales Caryophyllidea Casuariiformes Catenulida \
    Cathartiformes Caudata Centrarchiformes Cephalaspidea Ceramiales Ceratodontiformes Ceriantharia Cetacea \
    Cetartiodactyla Chaetodermatida Chaetonotida Characiformes Charadriiformes Chattonellales Cheilostomatida \
    Chimaeriformes Chirodropida Chiroptera Chitonida Chondrillida Chondrosiida Chordeumatida Chordodea Chordodida \
    Chromadorida Chromulinales Cichliformes Ciconiiformes Cidaroida Cingulata Cladocera Cladophorales Clathrinida \
    Clionaida Clupeiformes Clypeasteroida Cocculinida Coelacanthiformes Coleoptera Coliiformes Collothecaceae \
    Colponemida Columbiformes Comatulida Copelata Coraciiformes Corallimorpharia Corallinales Coronatae Craniida \
    Crassiclitellata Craterostigmomorpha Crocodilia Cryptomonadales Ctenopoda Ctenostomatida Cuculiformes Cumacea \
    Cyathomonadacea Cyclestherida Cycloneritida Cycloneritimorpha Cyclophyllidea Cyclopoida Cyclostomatida Cydippida \
    Cypriniformes Cyprinodontiformes Cyrtocrinida Dactylogyridea Dasyuromorphia Decapoda Dendroceratida \
    Dendrochirotida Dentaliida Dermaptera Dermocystida Dermoptera Desmacellida Desmarestiales Desmodorida \
    Desmoscolecida Diadematoida Dictyoceratida Dictyotales Didelphimorphia Diphyllobothriidea Diplostomida \
    Diplostraca Diprotodontia Diptera Docoglossa Doliolida Dorylaimida Echiniscoidea Echinoida Echinolampadacea \
    Echinoneoida Echinorhynchida Echinothurioida Echiuroidea Ectocarpales Elasipodida Ellobiida Elopiformes \
    Embiidina Embioptera Enchytraeida Endeostigmata Enoplida Enterogona Entomobryomorpha Eosentomata Ephemeroptera \
    Ericales Erinaceomorpha Esociformes Eulipotyphla Eunicida Euonychophora Euphausiacea Eupulmonata Eurotiales \
    Euryalida Eurypygiformes Eustigmatales Fabales Fagales Falconiformes Flosculariaceae Forcipulatida Fucales \
    Gadiformes Gadilida Galaxiiformes Galbuliformes Galliformes Gasterosteiformes Gastrochaenida Gaviiformes \
    Gelidiales Gelyelloida Gentianales Geophilomorpha Gigartinales Glaucocystales Gloeochaetales Glomerida \
    Glomeridesmida Gobiesociformes Gobiiformes Golfingiida Goniochloridales Gonorynchiformes Gordea Gordioidea \
    Gracilariales Gruiformes Grylloblattodea Gymnophiona Gymnosomata Gymnotiformes Gyracanthocephala Gyrodactylidea \
    Halocyprida Halymeniales Haplobothriidea Haplopoda Haplosclerida Haplotaxida Harpacticoida Helioporacea \
    Helotiales Hemiptera Heterodontiformes Heteronemertea Heteroptera Hexactinosida Hexamerocerata Hexanchiformes \
    Hirudinida Holasteroida Holocentriformes Holothuriida Holothyrida Homoptera Homosclerophorida Hoplonemertea \
    Hygrophila Hymenoptera Hyocrinida Hypocreales Hypsogastropoda Hyracoidea Idiosepida Insectivora Isocrinida \
    Isopoda Isoptera Istiophoriformes Ixodida Jakobida Julida Kentrogonida Kurtiformes Labriformes Labyrinthulida \
    Laevicaudata Lagomorpha Lamiales Laminariales Lamniformes Lampriformes Lecanorales Lepadiformes Lepetellida \
    Lepidopleurida Lepidoptera Lepisosteiformes Leptosomiformes Leptostraca Leptothecata Leptothecatae Leucosolenida \
    Liliales Limida Limifossorida Limnomedusae Lingulida Lithobiomorpha Littorinimorpha Lobata Lophiiformes \
    Lophogastrida Lucinida Lumbriculida Lyssacinosida Macrodasyida Macroscelidea Macrostomida Macrostomorpha \
    Malacalcyonacea Malawimonadida Malpighiales Malvales Mantodea Mantophasmatodea Mazocraeidea Mecoptera \
    Megaloptera Merliida Mermithida Mesitornithiformes Mesostigmata Microbiotheria Mictacea Misophrioida Molpadida \
    Monhysterida Moniliformida Moniligastrida Mononchida Monostilifera Monotremata Monstrilloida Mormonilloida \
    Mugiliformes Murrayonida Musophagiformes Myctophiformes Myida Myliobatiformes Myodocopida Myopsida Myrtales \
    Mysida Mytilida Mytiloida Myxiniformes Narcomedusae Nautilida Nectiopoda Nectonematoida Neelipleona Nemaliales \
    Neoechinorhynchida Neogastropoda Neotaenioglossa Neuroptera Notacanthiformes Notomyotida Notoptera \
    Notoryctemorphia Notostraca Nuculanida Nuculida Nudibranchia Nyctibiiformes Octopoda Odonata Oegopsida \
    Oligacanthorhynchida Onychopoda Opheliida Ophiacanthida Ophidiiformes Ophioleucida Ophioscolecida Ophiurida \
    Opilioacarida Opiliones Opisthocomiformes Opisthopora Opisthorchiida Orectolobiformes Oribatida Orthoptera \
    Osmeriformes Osteoglossiformes Ostreida Otidiformes Oxyurida Palmariales Palpigradi Pantopoda Parachela \
    Passeriformes Paucituberculata Paxillosida Pectinida Pedinoida Pedunculata Pelagomonadales Pelagonemertea \
    Pelecaniformes Penicillaria Pennatulacea Peramelemorphia Perciformes Percopsiformes Perissodactyla Persiculida \
    Petromyzontiformes Phaethontiformes Phascolosomatiformes Phasmatodea Phasmida Philodinida Phlebobranchia \
    Phoenicopteriformes Pholadomyida Pholidota Phragmophora Phthiraptera Phyllobothriidea Phyllodocida \
    Phymosomatoida Piciformes Pilosa Pinales Plagiorchiida Platycopida Platycopioida Platydesmida Plecoptera \
    Plectida Pleosporales Pleurobranchida Pleuronectiformes Pleurotomariida Plocamiales Ploima Plumatellida Poales \
    Podicipediformes Podocopida Poduromorpha Poecilosclerida Poecilostomatoida Pollicipedomorpha Polycladida \
    Polydesmida Polymastiida Polymixiiformes Polymorphida Polypodiales Polyporales Polypteriformes Polystilifera \
    Polyxenida Polyzoniida Porocephalida Priapulimorphida Primates Pristiformes Pristiophoriformes Proboscidea \
    Procellariiformes Prolecithophora Prorhynchida Proseriata Prostigmata Proteocephalidea Pseudophyllidea \
    Pseudoscorpiones Psittaciformes Psocodea Psocoptera Pteriida Pterioida Pterocliformes Pteropoda Pulmonata \
    Pylopulmonata Pyrenomonadales Pyrosomida Rajiformes Ralfsiales Ranunculales Raphidioptera Rhabditida Rhabdocoela \
    Rhabdopleurida Rheiformes Rhigonematida Rhinebothriidea Rhinopristiformes Rhizocephala Rhizostomeae \
    Rhodymeniales Rhynchobdellida Rhynchocephalia Rhynchonellida Ricinulei Rickettsiales Rodentia Rosales Runcinida \
    Russulales Sabellida Saccopharyngiformes Sacoglossa Salenioida Salmoniformes Salpida Sapindales Sarcoptiformes \
    Saxifragales Scalpellomorpha Scandentia Schizomida Scleractinia Scleralcyonacea Scolopendromorpha Scombriformes \
    Scopalinida Scorpaeniformes Scorpiones Scutigeromorpha Seguenziida Seisonacea Semaeostomeae Sepiida Sepiolida \
    Sessilia Siluriformes Sinentomata Siphonaptera Siphonariida Siphoniulida Siphonocryptida Siphonophorae \
    Siphonophorida Siphonostomatoida Sirenia Solanales Solemyida Solifugae Sorbeoconcha Soricomorpha Spatangoida \
    Spathebothriidea Spelaeogriphacea Sphacelariales Sphaerocladina Sphaerotheriida Sphenisciformes Spinicaudata \
    Spinulosida Spionida Spirobolida Spirostreptida Spirularia Spirulida Spirurida Spongillida Squaliformes Squamata \
    Squatiniformes Stauromedusae Steatornithiformes Stemmiulida Stephanoberyciformes Stolidobranchia Stomatopoda \
    Stomiiformes Stomopneustoida Strepsiptera Strigeidida Strigiformes Strongylida Struthioniformes Stylommatophora \
    Suberitida Suliformes Symphypleona Synallactida Synbranchiformes Syngnathiformes Synurales Systellommatophora \
    Tanaidacea Telonemida Temnopleuroida Terebellida Terebratulida Testudines Tethyida Tetractinellida \
    Tetramerocerata Tetraodontiformes Tetraphyllidea Teuthida Thecosomata Thelyphonida Thermosbaenacea \
    Thraustochytrida Thysanoptera Thysanura Tinamiformes Torpediniformes Trachichthyiformes Trachycladida \
    Trachymedusae Trichinellida Trichoptera Tricladida Trigoniida Triplonchida Trochida Trochiliformes Trogoniformes \
    Trombidiformes Tryblidiida Trypanorhyncha Tsukubamonadida Tubificida Tubulidentata Tubuliporida Tylenchida \
    Ulvales Umbraculida Unionida Unionoida Urodela Uropygi Valvatida Vampyromorpha Velatida Venerida Verongiida \
    Verrucomorpha Vetigastropoda Xenopneusta Xiphosura Xiphosurida Xylariales Zeiformes Zoantharia Zoraptera \
    Zygentoma";

/// Kingdoms and what stands above the phylum in lineages.
const ABOVE_PHYLUM: &str = "Animalia Archaea Archaeplastida Bacteria Chromista Eukaryota Fungi Metazoa Plantae Protista Protozoa \
    Viridiplantae cellular_organisms root";

static LISTED: LazyLock<HashMap<&'static str, Field>> = LazyLock::new(|| {
    let lists = [(PHYLA, Field::Phylum), (CLASSES, Field::Class), (ORDERS, Field::Order)];
    lists.into_iter().flat_map(|(list, rank)| list.split_ascii_whitespace().map(move |name| (name, rank))).collect()
});

/// Whether a word of a lineage stands above the phylum.
pub(super) fn is_above_phylum(word: &str) -> bool {
    ABOVE_PHYLUM.split_ascii_whitespace().any(|name| name == word)
}

/// The rank that a single capitalised word surely stands for: phylum, class or order by list, family and subfamily by ending.
pub(super) fn rank_of_word(word: &str) -> Option<Field> {
    if !is_capitalised(word) {
        return None;
    }
    if word.len() > 5 && word.ends_with("idae") {
        return Some(Field::Family);
    }
    if word.len() > 5 && word.ends_with("inae") {
        return Some(Field::Subfamily);
    }
    LISTED.get(word).copied()
}

/// Whether a word looks like a scientific name of genus rank or above: one capital, then lower case letters only.
pub(super) fn is_capitalised(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(char::is_uppercase)
        && word.len() >= 3
        && letters.all(|letter| letter.is_lowercase() || letter == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_words_get_the_rank_that_they_surely_have() {
        let known = [
            ("Lepidoptera", Some(Field::Order)),
            ("Insecta", Some(Field::Class)),
            ("Rotifera", Some(Field::Phylum)),
            ("Ptiliidae", Some(Field::Family)),
            ("Pselaphinae", Some(Field::Subfamily)),
            ("Psittaciformes", Some(Field::Order)),
            ("Apis", None),
            ("lepidoptera", None),
            ("idae", None),
            ("Plot", None),
        ];
        for (word, rank) in known {
            assert_eq!(rank_of_word(word), rank, "{word}");
        }
    }

    #[test]
    fn no_name_stands_at_two_ranks() {
        let lists = [PHYLA, CLASSES, ORDERS].map(|list| list.split_ascii_whitespace().collect::<Vec<_>>());
        for (index, list) in lists.iter().enumerate() {
            assert!(list.is_sorted(), "list {index}");
            for other in &lists[index + 1..] {
                assert!(list.iter().all(|name| !other.contains(name)));
            }
        }
    }
}
