import json
def test_a(trained, run_tool, tiny_config, tmp_path):
    import os,time
    print(sorted(os.listdir(trained)))
    t=time.time()
    run_tool('train', tiny_config,'--work-dir',tmp_path/'w','--cfg-options','train_cfg.max_epochs=150','train_cfg.val_interval=150', 'experiment_name=x','val_dataloader.dataset.ann_file=annotations/person_keypoints_train.json','val_dataloader.dataset.data_prefix.img=train/','val_dataloader.dataset.bbox_file=')
    print(time.time()-t)
