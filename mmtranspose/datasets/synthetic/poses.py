"""Draw random poses from families of poses: standing, walking, sitting and so on, as in photographs."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from mmtranspose.datasets.synthetic.skeleton import JOINT_LIMITS, BodyShape, Pose, clamp_pose, forward_kinematics

SIDES = ('left', 'right')


def _both(values: Pose) -> Pose:
    """Give the angles of a limb to both sides."""
    return {f'{side}_{name}': value for side in SIDES for name, value in values.items()}


def _relaxed_arms(rng: np.random.Generator) -> Pose:
    """Arms that hang, rest on the hips, fold, carry or gesture, each side on its own."""
    pose: Pose = {}
    for side in SIDES:
        kind = rng.choice(5, p=(0.45, 0.15, 0.15, 0.15, 0.1))
        flexion, abduction, twist, elbow = (
            (rng.uniform(-12, 20), rng.uniform(5, 20), rng.uniform(-30, 20), rng.uniform(5, 35)),
            (rng.uniform(-25, -5), rng.uniform(35, 50), rng.uniform(-75, -55), rng.uniform(90, 110)),
            (rng.uniform(20, 45), rng.uniform(5, 20), rng.uniform(-65, -30), rng.uniform(70, 110)),
            (rng.uniform(0, 60), rng.uniform(5, 45), rng.uniform(-40, 30), rng.uniform(40, 120)),
            (rng.uniform(40, 75), rng.uniform(0, 25), rng.uniform(-30, 5), rng.uniform(105, 142)),
        )[kind]
        pose.update(
            {
                f'{side}_shoulder_flexion': flexion,
                f'{side}_shoulder_abduction': abduction,
                f'{side}_shoulder_twist': twist,
                f'{side}_elbow_flexion': elbow,
            }
        )
    return pose


def standing(rng: np.random.Generator) -> Pose:
    """A pose: upright, with the weight on one leg or both."""
    stance = rng.uniform(0, 14)
    pose = _both({'hip_abduction': stance, 'hip_twist': rng.uniform(0, 20)})
    relaxed = SIDES[rng.integers(2)]
    knee = rng.uniform(0, 30)
    pose.update({f'{relaxed}_knee_flexion': knee, f'{relaxed}_hip_flexion': 0.6 * knee, 'spine_side': rng.normal(0, 4)})
    return {**pose, **_relaxed_arms(rng)}


def _gait(rng: np.random.Generator, hip: float, knee: float, lift: float, arm: float, elbow: float) -> Pose:
    """Opposite phases of legs and arms; angles are amplitudes in degrees."""
    phase = rng.uniform(0, 2 * math.pi)
    pose: Pose = {}
    for side, shift in zip(SIDES, (0.0, math.pi)):
        swing, recover = math.sin(phase + shift), math.cos(phase + shift)
        pose.update(
            {
                f'{side}_hip_flexion': hip * swing + 0.3 * hip,
                f'{side}_knee_flexion': knee + lift * max(0.0, recover),
                f'{side}_ankle_flexion': 18 * max(0.0, -swing),
                f'{side}_shoulder_flexion': -arm * swing,
                f'{side}_shoulder_abduction': rng.uniform(6, 16),
                f'{side}_shoulder_twist': rng.uniform(-25, 0),
                f'{side}_elbow_flexion': elbow + 0.3 * arm * max(0.0, -swing),
            }
        )
    pose['spine_twist'] = -0.25 * arm * math.sin(phase)
    return pose


def walking(rng: np.random.Generator) -> Pose:
    """A pose: a stride, arms swinging against the legs."""
    pose = _gait(rng, rng.uniform(16, 30), 6, rng.uniform(25, 55), rng.uniform(12, 35), rng.uniform(8, 35))
    return {**pose, 'pelvis_pitch': rng.uniform(0, 6)}


def running(rng: np.random.Generator) -> Pose:
    """A pose: a long stride with bent elbows, the trunk leaning forward."""
    pose = _gait(rng, rng.uniform(32, 52), 18, rng.uniform(60, 100), rng.uniform(30, 50), rng.uniform(75, 105))
    return {**pose, 'pelvis_pitch': rng.uniform(6, 16), 'neck_flexion': -8}


def sitting(rng: np.random.Generator) -> Pose:
    """A pose: on a seat, hands on the lap or busy."""
    pose: Pose = {}
    for side in SIDES:
        hip = rng.uniform(78, 98)
        pose.update(
            {
                f'{side}_hip_flexion': hip,
                f'{side}_knee_flexion': hip + rng.uniform(-35, 15),
                f'{side}_hip_abduction': rng.uniform(0, 22),
            }
        )
    arms = _both({'shoulder_abduction': rng.uniform(2, 15)})
    for side in SIDES:
        arms.update(
            {
                f'{side}_shoulder_flexion': rng.uniform(15, 45),
                f'{side}_elbow_flexion': rng.uniform(30, 75),
                f'{side}_shoulder_twist': rng.uniform(-35, 0),
            }
        )
    busy = _relaxed_arms(rng) if rng.random() < 0.4 else {}
    return {**pose, **arms, **busy, 'pelvis_pitch': rng.uniform(-8, 6), 'spine_flexion': rng.uniform(-5, 30)}


def reaching(rng: np.random.Generator) -> Pose:
    """A pose: one arm stretched out to the front, the side or above."""
    pose, side = standing(rng), SIDES[rng.integers(2)]
    forward = rng.random() < 0.6
    pose.update(
        {
            f'{side}_shoulder_flexion': rng.uniform(60, 150) if forward else rng.uniform(-10, 30),
            f'{side}_shoulder_abduction': rng.uniform(-5, 25) if forward else rng.uniform(60, 130),
            f'{side}_shoulder_twist': rng.uniform(-30, 20),
            f'{side}_elbow_flexion': rng.uniform(0, 35),
            'spine_flexion': rng.uniform(-5, 25),
            'spine_twist': rng.uniform(-25, 25),
        }
    )
    return pose


def arms_up(rng: np.random.Generator) -> Pose:
    """A pose: both arms raised, stretched or bent, as when cheering."""
    pose, wide = standing(rng), rng.random() < 0.5
    for side in SIDES:
        pose.update(
            {
                f'{side}_shoulder_flexion': rng.uniform(-5, 25) if wide else rng.uniform(125, 178),
                f'{side}_shoulder_abduction': rng.uniform(85, 160) if wide else rng.uniform(0, 25),
                f'{side}_shoulder_twist': rng.uniform(-10, 40),
                f'{side}_elbow_flexion': rng.uniform(0, 85),
            }
        )
    return pose


def crouching(rng: np.random.Generator) -> Pose:
    """A pose: knees deeply bent, the trunk forward over the feet."""
    pose, depth = _relaxed_arms(rng), rng.uniform(0.55, 1.0)
    for side in SIDES:
        pose.update(
            {
                f'{side}_hip_flexion': 125 * depth + rng.normal(0, 4),
                f'{side}_knee_flexion': 138 * depth,
                f'{side}_hip_abduction': rng.uniform(4, 28),
                f'{side}_ankle_flexion': -20 * depth,
                f'{side}_shoulder_flexion': rng.uniform(35, 85),
                f'{side}_elbow_flexion': rng.uniform(15, 90),
            }
        )
    return {
        **pose,
        'pelvis_pitch': 22 * depth + rng.uniform(-5, 10),
        'spine_flexion': rng.uniform(10, 40),
        'neck_flexion': rng.uniform(-35, 5),
    }


def bending(rng: np.random.Generator) -> Pose:
    """A pose: legs nearly straight, the trunk bent forward."""
    pitch, pose = rng.uniform(15, 60), standing(rng)
    for side in SIDES:
        knee = rng.uniform(0, 25)
        pose.update(
            {
                f'{side}_hip_flexion': pitch + 0.5 * knee,
                f'{side}_knee_flexion': knee,
                f'{side}_shoulder_flexion': rng.uniform(30, 100),
                f'{side}_shoulder_abduction': rng.uniform(0, 20),
                f'{side}_elbow_flexion': rng.uniform(0, 70),
            }
        )
    return {**pose, 'pelvis_pitch': pitch, 'spine_flexion': rng.uniform(10, 45), 'neck_flexion': rng.uniform(-35, 15)}


def lunging(rng: np.random.Generator) -> Pose:
    """A pose: one leg far forward or kicking, as in sport and dance."""
    pose, front = _relaxed_arms(rng), rng.integers(2)
    lead, rear, kick = SIDES[front], SIDES[1 - front], rng.random() < 0.4
    pose.update(
        {
            f'{lead}_hip_flexion': rng.uniform(50, 90),
            f'{lead}_knee_flexion': rng.uniform(0, 45) if kick else rng.uniform(60, 95),
            f'{rear}_hip_flexion': 0.0 if kick else rng.uniform(-22, 0),
            f'{rear}_knee_flexion': rng.uniform(0, 20) if kick else rng.uniform(10, 50),
            f'{lead}_hip_abduction': rng.uniform(0, 20),
            'pelvis_pitch': rng.uniform(-10, 12),
            'left_shoulder_abduction': rng.uniform(10, 95),
            'right_shoulder_abduction': rng.uniform(10, 95),
        }
    )
    return pose


FAMILIES: dict[Callable[[np.random.Generator], Pose], float] = {
    standing: 0.20,
    walking: 0.17,
    running: 0.10,
    sitting: 0.13,
    reaching: 0.11,
    arms_up: 0.09,
    crouching: 0.06,
    bending: 0.07,
    lunging: 0.07,
}
"""Families of poses, and the share of people that each gets."""


def _perturbed(rng: np.random.Generator, pose: Pose, degrees: float) -> Pose:
    noise = dict(zip(JOINT_LIMITS, rng.normal(0, degrees, len(JOINT_LIMITS))))
    pose = {name: pose.get(name, 0.0) + noise[name] for name in JOINT_LIMITS}
    pose['neck_twist'] += rng.normal(0, 18)
    pose['neck_flexion'] += rng.normal(0, 7)
    for side in SIDES:  # a raised arm lifts the shoulder with it
        raised = max(pose[f'{side}_shoulder_flexion'], pose[f'{side}_shoulder_abduction']) - 50
        pose[f'{side}_clavicle_lift'] = max(0.0, 0.24 * raised)
    return clamp_pose(pose)


def _arm_in_trunk(pose: Pose) -> bool:
    """Whether a wrist, elbow or forearm lies inside the trunk, an ellipsoid round the spine of an average body."""
    skeleton = forward_kinematics(BodyShape(1.0), pose)
    joints, chest, pelvis = skeleton.joints, skeleton.frames['chest'], skeleton.frames['pelvis']
    for side in SIDES:
        elbow, wrist = joints[f'{side}_elbow'], joints[f'{side}_wrist']
        for point in (elbow, 0.5 * (elbow + wrist), wrist, joints[f'{side}_hand']):
            for centre, frame in ((joints['chest'], chest), (joints['lumbar'], pelvis), (joints['pelvis'], pelvis)):
                x, y, z = frame.T @ (point - centre)
                if (x / 0.112) ** 2 + (y / 0.13) ** 2 + (z / 0.088) ** 2 < 1:
                    return True
    return False


def sample_pose(rng: np.random.Generator, names: Sequence[str] | None = None, tries: int = 8) -> tuple[str, Pose]:
    """Draw a family, and a pose of it inside the joint limits.

    Args:
        rng: Source of randomness.
        names: Families to draw from; ``None`` for all.
        tries: How often a pose is drawn while its arms pierce the trunk; the last one is kept.

    Returns:
        The family's name, and the angles in degrees of every degree of freedom.
    """
    families = {family: p for family, p in FAMILIES.items() if names is None or family.__name__ in names}
    odds = np.array(list(families.values()))
    family = list(families)[rng.choice(len(families), p=odds / odds.sum())]
    for _ in range(tries):
        pose = _perturbed(rng, family(rng), rng.uniform(1, 6))
        if not _arm_in_trunk(pose):
            break
    return family.__name__, pose
