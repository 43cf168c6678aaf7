# ShapeNetPart as the h5 export that DGCNN and CrossPoint use: 2,048 points of each shape, without normals.
# Expects data/hdf5_data; mmpt/datasets/shapenet_part.py names the files.
# The generated twin, without a download, is shapenet_part_synthetic.py beside this file.
_base_ = './shapenet_part.py'

train_dataloader = dict(dataset=dict(data_root='data/hdf5_data', variant='h5'))
val_dataloader = dict(dataset=dict(data_root='data/hdf5_data', variant='h5'))
