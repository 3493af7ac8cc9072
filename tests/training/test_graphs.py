"""Updates as graphs: what is captured and what is not, that replays are the same updates, and what is refused."""

import lightning
import pytest
import torch
from conftest import DIGITS, TINY, checkpoint_of, differences, metrics_of
from tape import Tape, train_taped
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from ganzoo.errors import InputError
from ganzoo.experiment import load_experiment
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.graphs import WARM_UP, Graphs, graphs_for
from ganzoo.training.optimizers import SGD, Adam, Optimizers
from ganzoo.training.run import resume, train
from ganzoo.variants.dcgan import DCGAN, Config

# The rates are float32 as they are float64, so a rate that is read on the device has the same bits.
FALLING = ["lr=0.015625", "schedule=linear", "decay_start_updates=0", "decay_end_updates=16"]
SETTINGS = {
    "schedules": [f"optimizer.{network}.{word}" for network in ("generator", "discriminator") for word in FALLING],
    "a schedule of one": ["variant.n_critic=2", "optimizer.generator={name: adam, lr: 0.0078125, warmup_updates: 8}"],
    "clipping": ["optimizer.generator.clip_norm=0.01", "optimizer.discriminator.clip_norm=0.01"],
    "other optimisers": [
        "optimizer.generator={name: sgd, lr: 0.03125, momentum: 0.5, warmup_updates: 4}",
        "optimizer.discriminator={name: adamw, lr: 0.01, weight_decay: 0.1}",
    ],
    "parts of a batch": ["trainer.accumulate=2"],
    "joint batches": ["discriminator.norm=none", "trainer.joint_batches=true"],
    "bf16": ["trainer.precision=bf16-mixed"],
    "random before it is judged": ["variant.augment=[color,translation,cutout]", "variant.instance_noise=0.1"],
    "drawn, and checkpoints": ["samples.every_generator_updates=2", "checkpoint.every_generator_updates=3"],
}


def words(settings: list[str], updates: int) -> list[str]:
    return [*TINY, *settings, f"budget.generator_updates={updates}"]


def same(one, other) -> bool:
    return differences(checkpoint_of(one), checkpoint_of(other)) == [] and metrics_of(one) == metrics_of(other)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_replayed_updates_are_the_same_to_the_last_bit(settings, tmp_path):
    train(DIGITS, words(settings, 8), run_dir=tmp_path / "eager")
    replays = train_taped(load_experiment(DIGITS, words(settings, 8)), tmp_path / "taped")
    assert replays["generator"] == 8 - WARM_UP and replays["discriminator"] >= 8 - WARM_UP
    assert same(tmp_path / "eager", tmp_path / "taped")


def test_a_run_goes_on_with_graphs_or_without(tmp_path):
    settings = SETTINGS["schedules"]
    train(DIGITS, words(settings, 12), run_dir=tmp_path / "eager")
    train_taped(load_experiment(DIGITS, words(settings, 5)), tmp_path / "run")
    train_taped(load_experiment(DIGITS, words(settings, 10)), tmp_path / "run")
    resume(tmp_path / "run", ["budget.generator_updates=12"])
    assert differences(checkpoint_of(tmp_path / "eager"), checkpoint_of(tmp_path / "run")) == []


class Seen(lightning.Callback):
    """Losses and gradients after each batch: what the guard and the log look at."""

    def __init__(self) -> None:
        self.values: list[dict[str, torch.Tensor]] = []

    def on_train_batch_end(self, trainer, gan, *args, **kwargs) -> None:
        gradients = {name: weight.grad for name, weight in gan.named_parameters() if weight.grad is not None}
        self.values.append({name: value.clone() for name, value in {**gan.losses, **gradients}.items()})


class Fit:
    """A GAN on points, in batches of 5 and, last in each of three epochs, of 2."""

    def __init__(self, graphs: bool, kind: type[DCGAN] = DCGAN):
        torch.manual_seed(0)
        generator = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        discriminator = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.2), nn.Linear(8, 1), nn.Flatten(0))
        rates = Optimizers(generator=Adam(lr=0.0625, warmup_updates=8), discriminator=SGD(lr=0.1))
        self.gan = kind(generator, discriminator, Config(latent_dim=3), optimizers=rates)
        self.gan.hooked, self.seen = False, Seen()
        self.tapes: list[Tape] = []
        if graphs:
            self.gan.graphs = Graphs(self.new_tape)
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
        trainer = lightning.Trainer(max_epochs=3, accelerator="cpu", callbacks=[self.seen], logger=False, **quiet)
        trainer.fit(self.gan, DataLoader(TensorDataset(torch.randn(22, 2)), batch_size=5))

    def new_tape(self) -> Tape:
        self.tapes.append(Tape(self.gan))
        return self.tapes[-1]


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training")
@pytest.mark.filterwarnings("ignore:.*LeafSpec")
class TestUnderAPlainTrainer:
    def test_a_batch_of_another_size_is_no_replay_and_disturbs_none(self):
        eager, taped = Fit(graphs=False), Fit(graphs=True)
        assert [tape.replays for tape in taped.tapes] == [12 - WARM_UP] * 2
        assert len(eager.seen.values) == 15 and differences(eager.seen.values, taped.seen.values) == []
        assert differences(dict(eager.gan.state_dict()), dict(taped.gan.state_dict())) == []

    def test_between_updates_the_optimisers_are_as_ever(self):
        taped = Fit(graphs=True)
        groups = [group for optimizer in taped.gan._optimizers.values() for group in optimizer.param_groups]
        assert [(type(group["lr"]), group["lr"]) for group in groups] == [(float, 0.0625), (float, 0.1)]
        assert not groups[0]["capturable"]

    def test_an_update_that_waits_for_a_number_is_told(self):
        class Waits(DCGAN):
            def generator_objective(self, discriminator, real, fake):
                loss = super().generator_objective(discriminator, real, fake)
                return loss if loss.item() < 1e6 else loss * 2.0

        with pytest.raises(
            InputError, match=r"cuda_graphs: Waits's generator update cannot be captured: .*capturing; set"
        ):
            Fit(graphs=True, kind=Waits)

    def test_another_loss_of_the_same_network_is_no_replay(self):
        class Alternating(DCGAN):
            def update_discriminator(self, real, labels=None):
                doubled = self.discriminator_updates % 2 == 1
                self.descend("discriminator", self.doubled if doubled else self.discriminator_loss, real, labels)
                self.discriminator_updates += 1

            def doubled(self, real, labels):
                return 2.0 * self.discriminator_loss(real, labels)

        eager, taped = Fit(graphs=False, kind=Alternating), Fit(graphs=True, kind=Alternating)
        assert taped.tapes[0].replays == 6 - WARM_UP
        assert differences(eager.seen.values, taped.seen.values) == []


REFUSED = {
    "no GPU": (["trainer.accelerator=cpu"], "accelerator is cpu"),
    "a scale": (["trainer.precision=16-mixed"], "16-mixed"),
    "several ranks": (["trainer.devices=2"], "there are 2"),
    "noise": (["variant.instance_noise=0.1", "variant.instance_noise_images=100"], "noise falls"),
    "unrolled": (["variant={name: unrolled}", "discriminator.norm=none"], "unrolled: an update looks ahead"),
    "progressive": (
        ["variant={name: progressive}", "generator={name: progressive}", "discriminator={name: progressive}"],
        "progressive: its networks grow",
    ),
}


@pytest.mark.parametrize(("settings", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_captured_is_told_before_training(settings, says):
    load_experiment(DIGITS, [*TINY, *settings])
    with pytest.raises(InputError) as caught:
        load_experiment(DIGITS, [*TINY, *settings, "trainer.cuda_graphs=true"])
    (problem,) = caught.value.problems
    assert problem.key == "trainer.cuda_graphs" and says in problem.text


def test_noise_that_stays_can_be_captured():
    fixed = ["variant.instance_noise=0.1", "trainer.cuda_graphs=true"]
    assert load_experiment(DIGITS, [*TINY, *fixed]).trainer.cuda_graphs
    assert load_experiment(DIGITS, [*TINY, "variant.instance_noise_images=9", "trainer.cuda_graphs=true"])


def test_it_may_change_when_a_run_is_resumed(tmp_path):
    run = RunDirectory.create(load_experiment(DIGITS, TINY), tmp_path / "run")
    assert run.resumed_experiment(("trainer.cuda_graphs=true",)).trainer.cuda_graphs


def test_only_a_gpu():
    on_cpu, on_gpu = torch.device("cpu"), torch.device("cuda")
    with pytest.raises(InputError, match="training is on cpu"):
        graphs_for(load_experiment(DIGITS, ["trainer.cuda_graphs=true"]), on_cpu)
    assert graphs_for(load_experiment(DIGITS, []), on_cpu) is None
    assert graphs_for(load_experiment(DIGITS, []), on_gpu) is not None
    assert graphs_for(load_experiment(DIGITS, ["trainer.cuda_graphs=false"]), on_gpu) is None


# of which a plugin's network might depend on a count; with true somebody says that it does not
@pytest.mark.parametrize(("asked", "captured"), [("auto", False), ("true", True)])
def test_what_is_not_ganzoos_own_is_captured_when_asked_for(asked, captured):
    words = ["plugins=[example_plugin]", "generator={name: linear}", f"trainer.cuda_graphs={asked}"]
    graphs = graphs_for(load_experiment(DIGITS, words), torch.device("cuda"))
    assert (graphs is not None) is captured


@pytest.mark.parametrize("settings", [each[0] for name, each in REFUSED.items() if name != "no GPU"])
def test_what_cannot_be_captured_is_not_by_default(settings):
    assert graphs_for(load_experiment(DIGITS, [*TINY, *settings]), torch.device("cuda")) is None


# A skipped test fails the gate, so what another machine cannot do is not collected there.
if torch.cuda.is_available():

    @pytest.mark.gpu
    @pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
    def test_a_gpu_replays_the_same_updates(settings, tmp_path):
        on_gpu = words([*settings, "trainer.accelerator=gpu"], 8)
        train(DIGITS, [*on_gpu, "trainer.cuda_graphs=false"], run_dir=tmp_path / "eager")
        train(DIGITS, [*on_gpu, "trainer.cuda_graphs=true"], run_dir=tmp_path / "graphs")
        assert same(tmp_path / "eager", tmp_path / "graphs")

    @pytest.mark.gpu
    def test_a_gpu_goes_on_with_graphs_or_without(tmp_path):
        on_gpu = words([*SETTINGS["other optimisers"], "trainer.accelerator=gpu"], 12)
        train(DIGITS, [*on_gpu, "trainer.cuda_graphs=false"], run_dir=tmp_path / "eager")
        train(DIGITS, [*on_gpu, "budget.generator_updates=5"], run_dir=tmp_path / "run")
        resume(tmp_path / "run", ["budget.generator_updates=10"])
        resume(tmp_path / "run", ["budget.generator_updates=12", "trainer.cuda_graphs=false"])
        assert differences(checkpoint_of(tmp_path / "eager"), checkpoint_of(tmp_path / "run")) == []

else:

    def test_without_a_gpu_training_does_not_begin(tmp_path):
        with pytest.raises(InputError, match=r"trainer.cuda_graphs: true needs a GPU"):
            train(DIGITS, words(["trainer.cuda_graphs=true"], 1), run_dir=tmp_path / "run")
        assert not (tmp_path / "run" / "config.yaml").exists()
