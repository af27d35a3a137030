"""Everything two scripts share: audio, features, pictures, splits, training, evaluation and runs."""
