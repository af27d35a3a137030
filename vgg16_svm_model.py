"""VGG16 + SVM: a support vector machine on the last layer but one of a finished run, VGG16's 128 units or any other.

Source: Intelligent Systems MSc, "Music genre classification", 2021,
    https://github.com/Intelligent-Systems-MSc/Music-genre-classification.
Input: {run: (columns,)}, the embeddings of a piece: what the run's last layer decides on.
Output: an unfitted search for C and gamma, whose best estimator knows num_classes classes.
Differs: the source picks C and gamma on its test tracks and scales train and test apart. Here the scaler is fitted on
    what the machine is fitted on, and C and gamma are chosen by cross-validation over tracks; as the run knows its
    training tracks, these are always fitted on, and the validation tracks are held out in turn.

    python vgg16_svm_model.py --features=mel
    python vgg16_svm_model.py --run=models/vgg16_model/mel/frozen --run_name=frozen
    python vgg16_svm_model.py --run=models/frequency_model/mel --run_name=frequency
"""

from genre.training import main

from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def build_model(input_shape, num_classes, *, C=(0.1, 1.0, 10.0, 100.0), gamma=(1e-5, 1e-4, 1e-3, 1e-2, 0.1)):
    """Args: C: penalties of a wrong side to try. gamma: inverse square widths of the kernel to try."""
    if not C or not gamma or not all(0 < value < float("inf") for value in (*C, *gamma)):
        raise ValueError("every C and gamma should be a number above 0, and there should be one of each")
    machine = make_pipeline(StandardScaler(), SVC(kernel="rbf"))
    return GridSearchCV(machine, {"svc__C": list(C), "svc__gamma": list(gamma)})


if __name__ == "__main__":
    main(build_model, inputs="runs", run="vgg16_model", estimator=True)
